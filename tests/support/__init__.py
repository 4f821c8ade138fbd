"""What the numerical tests and ``benchmarks/precision.py`` share: the oracle, the inputs, the bounds."""
