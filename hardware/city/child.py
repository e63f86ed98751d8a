"""One `mancard` command as a child that never outlives its parent: `python -m hardware.city.child COMMAND …`.

`mancard run` may be killed in any way; a ledger or a validator left behind would keep its port and journal.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from fare.cli import main

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent process is gone (Linux; elsewhere nothing happens)."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1:])
