"""Stands over one service of a test run and stops it when the run is over. It never imports the product.

    python keeper.py WATCHED_PID STOP_SIGNAL ACCOUNT HOME COMMAND…

It waits for two things at once, the end of the watched process and the end of the service, so a run that was
killed with SIGKILL leaves nothing behind either. HOME is removed at the end: at once for a service that was
stopped or killed, after the run for one that ended by itself, because whoever started it reads its log there.
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
    told_to_stop = False

    def stop(*_: object) -> None:
        nonlocal told_to_stop
        told_to_stop = True
        service.send_signal(stop_signal)

    signal.signal(signal.SIGTERM, stop)
    ended = os.pidfd_open(service.pid)
    try:
        watched = os.pidfd_open(watched_pid)
    except ProcessLookupError:
        _stop(service, stop_signal)  # the run was over before we began
    else:
        _wait_for_any(watched, ended)
        if service.poll() is None:
            _stop(service, stop_signal)
        elif not told_to_stop and service.returncode != -signal.SIGKILL:
            if os.fork() > 0:
                return service.returncode
            _wait_for_any(watched)
    shutil.rmtree(home, ignore_errors=True)
    return service.returncode


def _wait_for_any(*processes: int) -> None:
    poll = select.poll()
    for process in processes:
        poll.register(process, select.POLLIN)
    poll.poll()


def _stop(service: subprocess.Popen[bytes], stop_signal: int) -> None:
    service.send_signal(stop_signal)
    try:
        service.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None, sys.argv[4], sys.argv[5:]))
