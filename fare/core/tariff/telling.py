"""What a sentence about a tariff is, and of what it tells. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """The parts of a tariff in the order in which they are told."""

    FARES = "fares"
    TIMES = "times"
    DISTANCE = "distance"
    CONCESSIONS = "concessions"
    TRANSFERS = "transfers"
    CAPS = "caps"
    PASSES = "passes"
    TAP_OFF = "tap_off"
    COMPANIONS = "companions"
    PAYMENT = "payment"
    FREE_DAYS = "free_days"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence. `ref` names what it tells of: "product:single", "window:bus", "cap:day", "tap_off"."""

    text: str
    ref: str
    topic: Topic
