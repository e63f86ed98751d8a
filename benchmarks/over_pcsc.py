"""Taps and personalisations through real PC/SC: pcscd, vpcd, and a virtual card in a process of its own.

The floor sends the same bytes over the same link and does nothing else with them. The card stays on the
reader and is as new at each `FF CA`, so laying it there is not part of what is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks import cards, pcsc_service
from benchmarks.card_server import BLANK_CARDS
from benchmarks.measuring import Effort, Measured, compare_wall
from benchmarks.pcsc_service import CardLink
from benchmarks.personalising import record_all
from tests.services.pcsc import PcscService

_FLOOR = "the same APDUs over the same link, nothing else"


def measure(effort: Effort) -> list[Measured]:
    """Taps through pyscard directly and through the reader's worker, then a batch of blank cards."""
    with pcsc_service.pcsc_service() as service:
        with pcsc_service.card_on(service, "issued"):
            lines = [
                _taps(
                    "tap-pcsc-direct",
                    "tap over pcscd + vpcd, direct",
                    pcsc_service.direct_link,
                    service,
                    effort,
                ),
                _taps(
                    "tap-pcsc-worker",
                    "tap over pcscd + vpcd, worker",
                    pcsc_service.worker_link,
                    service,
                    effort,
                ),
            ]
        with pcsc_service.card_on(service, "blank"):
            lines.append(_batch(service, effort))
    return lines


def _taps(
    name: str,
    what: str,
    open_link: Callable[[PcscService], AbstractContextManager[CardLink]],
    service: PcscService,
    effort: Effort,
) -> Measured:
    with open_link(service) as link:
        recorder = cards.Recorder(link.transmit)
        cards.tap(recorder.transmit)

        def ours() -> None:
            cards.tap(link.transmit)

        def floor() -> None:
            cards.play(recorder.commands, recorder.answers, link.transmit)

        return compare_wall(name, what, ours, floor, _FLOOR, None, effort)


def _batch(service: PcscService, effort: Effort) -> Measured:
    recorded = record_all()
    with pcsc_service.direct_link(service) as link:

        def ours() -> None:
            for number in range(BLANK_CARDS):
                cards.issue(number, link.transmit)

        def floor() -> None:
            for one in recorded:
                cards.play(one.commands, one.answers, link.transmit)

        what = f"personalising {BLANK_CARDS} cards over pcscd + vpcd"
        once = Effort(max(4, effort.rounds // 30), 1)
        return compare_wall("issue-pcsc", what, ours, floor, _FLOOR, None, once, BLANK_CARDS)
