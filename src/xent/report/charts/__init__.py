"""The charts: numbers in, one Vega-Altair drawing out. None of them reads a result or writes a sentence."""
