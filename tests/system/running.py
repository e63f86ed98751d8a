"""`mancard run` itself, as a person starts it: the addresses and the sign-in are read from what it prints."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.services.started import free_port
from tests.system.city import clean_environment, wait_for

STOPPED_WITHIN_S = 20


@dataclass
class Run:
    """One `mancard run` over a state folder. `said` is its standard output, `told` its standard error."""

    state: Path
    port: int = field(default_factory=free_port)
    bus_port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def start(self) -> Run:
        """Start it and return when it has printed where to go."""
        self.said.clear()
        self.told.clear()
        arguments = ["--state", str(self.state), "--port", str(self.port), "--bus-port", str(self.bus_port)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from fare.cli import main; main()", "run", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self._threads = [
            threading.Thread(target=_keep_lines, args=(stream, kept), daemon=True)
            for stream, kept in ((self.process.stdout, self.said), (self.process.stderr, self.told))
        ]
        for thread in self._threads:
            thread.start()
        wait_for("the addresses", lambda: self.process.poll() is not None or "Ctrl-C" in self.text(), 90)
        assert self.process.poll() is None, self.told
        return self

    def text(self) -> str:
        """What it has printed so far."""
        return "\n".join(self.said)

    def address(self, path: str) -> str:
        """The address it printed for a page."""
        found = re.search(rf"http://\S+{re.escape(path)}", self.text())
        assert found is not None, f"no address of {path} in: {self.text()}"
        return found[0]

    @property
    def password(self) -> str:
        """The password it printed, or that of the file it names."""
        file = self.state / "first-sign-in.txt"
        found = re.search(r"^password\s+(\S+)$", file.read_text(), re.MULTILINE)
        assert found is not None
        return found[1]

    def child(self, command: str) -> int:
        """The process number of one of its children, by what it runs."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "stat").read_text()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(status.rpartition(") ")[2].split()[1]) == self.process.pid and command in line:
                return int(folder.name)
        raise AssertionError(f"no child that runs {command}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(STOPPED_WITHIN_S)
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return status


def _keep_lines(stream, kept: list[str]) -> None:
    for line in stream:
        kept.append(line.rstrip("\n"))  # noqa: PERF401 - each line is wanted as soon as it is there
