"""A gateway that a test may stop, kill and start again, and two doors of one bus that share something."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from fare.core.bundle import DeviceConfiguration
from readers.vehicle_memory.composing import ShareWith
from tests.readers.bus import DEVICE, Bus, Issuer, ManualClock, open_bus
from tests.services.started import find_program, free_port

OTHER_DOOR = DEVICE + 1


@dataclass
class Gateway:
    """A Redis of this test's own."""

    home: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [find_program("redis-server", "valkey-server"), "--port", str(self.port)]
        command += ["--bind", "127.0.0.1", "--save", "", "--requirepass", self.password]
        self.process = subprocess.Popen([*command, "--dir", str(self.home)], stdout=subprocess.DEVNULL)
        with Redis.from_url(self.url, socket_timeout=5) as client:
            for _ in range(10_000):
                try:
                    client.ping()
                    return
                except RedisError:
                    assert self.process.poll() is None
        raise AssertionError("the gateway did not start")

    def kill(self) -> None:
        """As its power does: everything it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)

    def stand_still(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    made.start()
    yield made
    made.go_on()
    made.kill()


class Doors:
    """The doors of one bus, each with its own journal; a door may be opened anew over its old journal."""

    def __init__(self, issuer: Issuer, cards: Path, states: Path, share: ShareWith | None) -> None:
        self.issuer = issuer
        self.clock = ManualClock()
        self._cards = cards
        self._states = states
        self._share = share
        self._open: dict[int, Bus] = {}

    def open(self, device: int = DEVICE) -> Bus:
        place = DeviceConfiguration(12, "خط ۱۲", 3, "اتوبوس ۷")
        elsewhere = DeviceConfiguration(12, "خط ۱۲", 3, "اتوبوس ۸")
        devices = {DEVICE: place, OTHER_DOOR: place, OTHER_DOOR + 1: elsewhere}
        door = open_bus(
            self.issuer,
            self._cards,
            self._states / f"door-{device}",
            clock=self.clock,
            bundle=self.issuer.bundle(devices=devices),
            device=device,
            share=self._share,
        )
        self._open[device] = door
        self.step(door)
        return door

    def step(self, *doors: Bus) -> list[bool]:
        """What the gateway's thread does each second."""
        return [door.process.shared is not None and door.process.shared.step() for door in doors]

    def close(self) -> None:
        for door in self._open.values():
            door.process.stop()


MakeDoors = Callable[[ShareWith | None], Doors]


@pytest.fixture
def make_doors(issuer: Issuer, cards: Path, tmp_path: Path) -> Iterator[MakeDoors]:
    made: list[Doors] = []

    def make(share: ShareWith | None) -> Doors:
        made.append(Doors(issuer, cards, tmp_path / f"states-{len(made)}", share))
        return made[-1]

    yield make
    for doors in made:
        doors.close()
