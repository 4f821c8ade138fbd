"""Whether an eager tensor has a derivative to give."""

from __future__ import annotations

from tensorflow.python.eager import forwardprop_util, record

from xent.core.arrays import Array


def watched(*tensors: Array | None) -> bool:
    """Whether a tape, or forward mode, follows one of them.

    Not public: without it a derivative of the size of the scores is made whenever one by the scores is.
    """
    floats = [x for x in tensors if x is not None and x.dtype.is_floating]
    return bool(record.should_record_backprop(floats)) or bool(forwardprop_util.pack_tangents(floats).tangents)
