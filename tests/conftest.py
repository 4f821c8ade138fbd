"""Settings that hold for every room of the tests. ``tests/support`` is importable as ``support`` because this is here."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples on every run, so that a red run can be run again; no deadline, because a test does not time.
settings.register_profile(
    "xent", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("xent")
