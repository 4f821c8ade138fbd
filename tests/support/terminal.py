"""What a process writes to a terminal of its own."""

from __future__ import annotations

import errno
import os


def terminal_text(leader: int) -> bytes:
    """All that came, until the other end was closed; closes this one."""
    shown = b""
    while True:
        try:
            block = os.read(leader, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux says so at the end of a terminal that was closed
                raise
            break
        if not block:
            break
        shown += block
    os.close(leader)
    return shown
