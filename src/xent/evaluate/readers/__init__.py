"""Files in, record batches of the asked columns out; never more than a batch in memory. The only home of pyarrow."""

from __future__ import annotations

from xent.evaluate.readers.formats import open_table
from xent.evaluate.readers.table import Request, Table

__all__ = ["Request", "Table", "open_table"]
