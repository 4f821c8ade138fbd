"""Contrastive losses: the classes of a query are keys, and its truth is the key, or the keys, that belong to it.

A key is to a query what a classifier is to a hidden state, so most of these are the cross-entropy of a ``Projection``
of queries on keys. Queries and keys are given apart, so that keys can be gathered from other processes or kept in a
queue; where a query is itself among the keys, ``own`` says at which place, and it is no candidate there (a score of
−∞). A zero embedding stays zero when it is normalised, and its gradient is 0. Of a temperature or scale that is a
framework's scalar the derivative is taken too.

``weight`` is one number a query, and ``reduction``, ``denominator`` and ``empty`` are those of ``cross_entropy``.
"""

from xent.losses.contrastive.image_text import clip, siglip
from xent.losses.contrastive.pairs import info_nce, n_pairs, nt_xent
from xent.losses.contrastive.sets import mil_nce, nt_xent_by_label, sup_con

__all__ = ["clip", "info_nce", "mil_nce", "n_pairs", "nt_xent", "nt_xent_by_label", "siglip", "sup_con"]
