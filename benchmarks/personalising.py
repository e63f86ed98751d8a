"""Personalising a batch of blank cards in this process, against the same bytes sent to the same cards.

Both sides carry the virtual card's own work: the difference is what the issuing server does.
"""

from __future__ import annotations

from benchmarks import cards
from benchmarks.card_server import BLANK_CARDS
from benchmarks.measuring import Effort, Measured, compare_wall


def record_all() -> list[cards.Recorder]:
    """The conversations of the whole batch."""
    recorded: list[cards.Recorder] = []
    for number in range(BLANK_CARDS):
        recorder = cards.Recorder(cards.blank(number).transmit)
        cards.issue(number, recorder.transmit)
        recorded.append(recorder)
    return recorded


def measure(effort: Effort) -> list[Measured]:
    """One line for the batch."""
    recorded = record_all()

    def ours() -> None:
        for number in range(BLANK_CARDS):
            cards.issue(number, cards.blank(number).transmit)

    def floor() -> None:
        for number, one in enumerate(recorded):
            cards.play(one.commands, one.answers, cards.blank(number).transmit)

    what = f"personalising {BLANK_CARDS} cards in process"
    once = Effort(max(4, effort.rounds // 20), 1)
    floor_is = "the same APDUs to the same cards"
    return [compare_wall("issue-in-process", what, ours, floor, floor_is, None, once, BLANK_CARDS)]
