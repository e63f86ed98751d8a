"""What the emulator's tests share: blank and personalised cards, a folder of images, real PC/SC."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.image import create_image
from tests.hardware.emulator.terminal import Terminal

UID = bytes.fromhex("04A1B2C3D4E5F6")


@pytest.fixture
def blank() -> tuple[VirtualCard, Terminal]:
    card = VirtualCard.factory(UID)
    return card, Terminal(card.transmit)


@pytest.fixture
def fare_card() -> tuple[VirtualCard, Terminal]:
    """A personalised card with an entitlement and its first record, TMC 1."""
    card = VirtualCard.factory(UID)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    return card, terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two blank cards, ``one`` and ``two``."""
    create_image(tmp_path, "one", UID, label="کارت ۱ – بزرگسال")
    create_image(tmp_path, "two", UID[:-1] + b"\xf7", label="کارت ۲")
    return tmp_path
