"""What a process writes to a terminal of its own."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
from collections.abc import Mapping, Sequence


def in_a_terminal(command: Sequence[str], environment: Mapping[str, str]) -> tuple[bytes, bytes]:
    """What a command that must succeed wrote to its standard output, a pipe, and to standard error, a terminal.

    The terminal is read while the command runs: it holds a few kilobytes, and who writes more waits for a reader.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=environment)
    os.close(follower)
    shown = terminal_text(leader)
    said = process.communicate()[0]
    assert process.returncode == 0, shown
    return said, shown


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
