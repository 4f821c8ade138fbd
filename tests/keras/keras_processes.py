"""What the processes share in which a backend of Keras is tested."""

from __future__ import annotations

from pathlib import Path

import xent

SOURCE = str(Path(xent.__file__).parents[1])
#: Arrays here are small, and tests run beside one another: two threads each would wait for one another.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
