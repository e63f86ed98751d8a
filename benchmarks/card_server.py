"""The card on vpcd's reader while a link is measured, in a process of its own: `card_server HOST PORT KIND`.

KIND `issued` lays one card there whose memory is as before at every `FF CA`; `blank` lays the next blank
card at every `FF CA`, and the first one again after the last. So the same bytes have the same answers in
every run.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from benchmarks import cards
from hardware.emulator.card import GET_UID, VirtualCard
from hardware.emulator.vpcd import ASK_ATR, LOST_REPLY, POWER_OFF, POWER_ON, RESET, receive_frame, send_frame

BLANK_CARDS = 100


def main(host: str, port: int, kind: str) -> None:
    """Serve until vpcd hangs up."""
    lay = _issued() if kind == "issued" else _blanks()
    card = lay()
    with socket.create_connection((host, port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (payload := receive_frame(wire)) is not None:
            if payload == ASK_ATR:
                send_frame(wire, card.atr)
            elif payload in (POWER_OFF, POWER_ON, RESET):
                card.power(True)
            else:
                if payload == GET_UID:
                    card = lay()
                send_frame(wire, card.transmit(payload) or LOST_REPLY)


def _issued() -> Callable[[], VirtualCard]:
    memory = cards.issued()
    return lambda: cards.ready(memory)


def _blanks() -> Callable[[], VirtualCard]:
    number = -1

    def lay() -> VirtualCard:
        nonlocal number
        number += 1
        return cards.blank((number - 1) % BLANK_CARDS)  # the first one only waits for the first FF CA

    return lay


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
