"""Whether an eager tensor has a derivative to give."""

from __future__ import annotations

from tensorflow.python.eager import record

from xent.core.arrays import Array


def watched(*tensors: Array | None) -> bool:
    """Whether a tape, or forward mode, follows one of them.

    Not public: without it a derivative of the size of the scores is made whenever one by the scores is.
    """
    return bool(record.should_record_backprop([x for x in tensors if x is not None and x.dtype.is_floating]))
