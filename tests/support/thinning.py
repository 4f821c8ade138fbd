"""Of tests that ask the same of many losses or backends a run takes a part; ``XENT_TESTS=all`` takes them all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

EVERY = os.environ.get("XENT_TESTS") == "all"

#: Of the tests with parameters of a file, or of one function in it, one in so many is run.
ONE_IN = {
    "backends/test_torch_autograd.py::test_autograd_is_value_and_grad": 4,
    "backends/test_torch_gradcheck.py": 3,
    "functional/test_pairs_compiled.py::test_within_the_published_bound": 4,
    "gpu/test_gpu_rows.py::test_statistics_and_gradients_of_pieces": 2,
    "gpu/test_gpu_unread.py": 8,
    "jax/test_jax_transforms.py": 8,
    "keras/keras_cases_edges.py": 5,
    "keras/keras_cases_heads.py": 4,
    "keras/keras_cases_models.py": 6,
    "keras/keras_cases_values.py": 6,
    "kernels/test_cpu_fused.py::test_rows_against_50_digits": 3,
    "kernels/test_element_losses.py::test_the_oracle_says_the_same": 3,
    "kernels/test_elements.py::test_targets_of_any_type": 6,
    "kernels/test_elements.py::test_weights_broadcast": 6,
    "losses/test_losses_angles.py": 8,
    "losses/test_losses_catalogue.py": 8,
    "losses/test_losses_compiled.py": 6,
    "losses/test_losses_edges.py": 8,
    "losses/test_losses_fenchel_young.py::test_value_and_gradient_to_the_rounding": 8,
    "losses/test_losses_gradients.py": 8,
    "losses/test_losses_inference.py": 8,
    "losses/test_losses_invariances.py": 8,
    "losses/test_losses_pass.py": 8,
    "optax/test_optax.py": 8,
    "tensorflow/test_tensorflow_core.py": 3,
    "torch/test_torch_samples.py": 4,
    "torch/test_torch_transforms.py::test_compiles_whole_and_once_for_all_batch_sizes": 3,
}


class Item(Protocol):
    """What is asked of a test of pytest's."""

    name: str
    nodeid: str
    path: Path


AnItem = TypeVar("AnItem", bound=Item)


def left_out(items: Sequence[AnItem], asked: Iterable[str], tests: Path) -> list[AnItem]:
    """The tests that this run does without, always the same; none of those that were asked for by their own names.

    Of each function one is left at least.
    """
    named = set(asked)
    groups: dict[tuple[str, str], list[AnItem]] = {}
    for item in items:
        if "[" in item.name and item.path.is_relative_to(tests):
            function = item.name.partition("[")[0]
            groups.setdefault((item.path.relative_to(tests).as_posix(), function), []).append(item)
    gone = []
    for (file, function), group in groups.items():
        many = ONE_IN.get(f"{file}::{function}", ONE_IN.get(file, 1))
        stays = [item for item in group if zlib.crc32(item.name.encode()) % many == 0] or group[:1]
        gone += [item for item in group if item not in stays and item.nodeid not in named]
    return [] if EVERY else gone
