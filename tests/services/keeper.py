"""Stands over one service of a test run and stops it when the run is over. It never imports the product.

    python keeper.py WATCHED_PID STOP_SIGNAL ACCOUNT HOME COMMAND…

It waits for two things at once, the end of the watched process and the end of the service, so a run that was
killed with SIGKILL leaves nothing behind either. HOME is removed at the end.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys

STOP_TIMEOUT_S = 20


def main(watched_pid: int, stop_signal: int, account: str | None, home: str, command: list[str]) -> int:
    """Run `command` until the watched process ends. Returns the exit status of the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal ends the run, and the run ends us
    service = subprocess.Popen(command, cwd=home, user=account, group=account)
    signal.signal(signal.SIGTERM, lambda *_: service.send_signal(stop_signal))
    try:
        watched = os.pidfd_open(watched_pid)
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.register(os.pidfd_open(service.pid), select.POLLIN)
        poll.poll()
    except ProcessLookupError:
        pass  # the run was over before we began
    if service.poll() is None:
        service.send_signal(stop_signal)
        try:
            service.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
        shutil.rmtree(home, ignore_errors=True)
    return service.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None, sys.argv[4], sys.argv[5:]))
