"""The frameworks' losses as one table: what each of them is in terms of P and Q, and how another would write it.

A helper is read into a ``Meaning``; a ``Meaning`` is written down in any framework. No framework is imported.
"""

from xent.dialects.answer import Answer, convert, which
from xent.dialects.call import Call, NoEqual

__all__ = ["Answer", "Call", "NoEqual", "convert", "which"]
