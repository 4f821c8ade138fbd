"""Distillation: a student Q learns the distribution of a teacher P.

The teacher is ``Distribution.from_logits(scores)``, which keeps it in log space: a class without mass is no NaN. A
temperature divides the scores of both. Rows are any leading shape, (N, K) or (…, T, V): a mean divides by the rows that
count (by the sum of their weights), as PyTorch's "batchmean" does for (N, K); its "mean" divides by N·K. For (N, T, V)
"batchmean" is ``denominator=N``.

Nothing is detached: a teacher that is not to learn is given without a graph.
"""

from xent.losses.distillation.divergences import forward_kl, hard_and_soft, jensen_shannon, reverse_kl
from xent.losses.distillation.parts import decoupled, top_k

__all__ = ["decoupled", "forward_kl", "hard_and_soft", "jensen_shannon", "reverse_kl", "top_k"]
