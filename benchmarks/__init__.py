"""Figures that the documents quote, each printed by a script: ``python -m benchmarks.NAME`` from the root."""
