"""What a desk asks for, from whichever side it comes, and the job it becomes. It drives no job itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fare.core.desfire.application import Conversation
from fare.core.desfire.errors import CardFault
from fare.core.desfire.keys import KeyNotHeld, KeySealed
from fare.core.errors import OperatorError
from fare.desk import jobs, lost_cards
from fare.desk.context import Desk
from fare.desk.jobs import Payment, Terms
from fare.desk.outcomes import JobKind, Outcome
from fare.issuing import IssuingRefused
from fare.issuing.cards import ISSUING_TERMINAL
from fare.staff import Right

RIGHT_FOR: Final[Mapping[JobKind, Right]] = {
    JobKind.ISSUE: Right.ISSUE_MEDIA,
    JobKind.INSPECT: Right.LOAD_MEDIA,
    JobKind.LOAD: Right.LOAD_MEDIA,
    JobKind.BLOCK: Right.DENY_MEDIA,
    JobKind.UNBLOCK: Right.DENY_MEDIA,
    JobKind.REPLACE: Right.ISSUE_MEDIA,
    JobKind.ROLL: Right.ISSUE_MEDIA,
}


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job. `serial`: the card it is about (of `replace`, the lost one). `with_card`: it lies on a reader.

    `amount_rial`, `terminal` and `reference` are of `load`; `new_serial` and `report_lost` of `replace`.
    """

    kind: JobKind
    serial: int | None = None
    with_card: bool = True
    rider_category: int = 0
    amount_rial: int = 0
    terminal: str = ISSUING_TERMINAL
    reference: str | None = None
    new_serial: int | None = None
    report_lost: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended without its result: one word for a machine, one sentence for a person."""

    error: str
    sentence: str


FAULTS: Final = (CardFault, OperatorError, KeyNotHeld, KeySealed)
"""What ends a job and can be told to whoever asked for it; anything else is a fault of the program."""


def begin(desk: Desk, asked: JobRequest) -> Conversation[Outcome]:
    """The job that was asked for, not yet begun. Raises OperatorError for a request that lacks something."""
    match asked.kind:
        case JobKind.ISSUE:
            return jobs.issue(desk, Terms(asked.rider_category))
        case JobKind.INSPECT:
            return jobs.inspect(desk)
        case JobKind.ROLL:
            return jobs.roll(desk, asked.serial)
        case JobKind.LOAD:
            payment = Payment(asked.amount_rial, asked.terminal, asked.reference)
            return jobs.load(desk, _serial(asked), payment, with_card=asked.with_card)
        case JobKind.BLOCK:
            return jobs.block(desk, _serial(asked), with_card=asked.with_card)
        case JobKind.UNBLOCK:
            return jobs.unblock(desk, _serial(asked), with_card=asked.with_card)
        case JobKind.REPLACE:
            return _replace(desk, _serial(asked), asked)


def failure_of(fault: Exception) -> Failure:
    """One of FAULTS, told."""
    if isinstance(fault, IssuingRefused):
        return Failure(fault.reason, str(fault))
    if isinstance(fault, CardFault):
        word = re.sub(r"(?<!^)(?=[A-Z])", "_", type(fault).__name__).lower()
        return Failure(word, str(fault))
    return Failure("refused", str(fault))


def _replace(desk: Desk, serial: int, asked: JobRequest) -> Conversation[Outcome]:
    if asked.report_lost + (asked.new_serial is not None) + asked.with_card != 1:
        raise OperatorError(
            "A lost card is either reported, or replaced with a card named by --with or laid on a --reader."
        )
    if asked.with_card:
        return lost_cards.replace_with_card(desk, serial)
    return _without_card(desk, serial, asked.new_serial)


def _without_card(desk: Desk, serial: int, new_serial: int | None) -> Conversation[Outcome]:
    """A job of transactions alone: it ends before it asks anything of a card."""
    yield from ()
    return (
        lost_cards.report(desk, serial)
        if new_serial is None
        else lost_cards.succeed(desk, serial, new_serial)
    )


def _serial(asked: JobRequest) -> int:
    if asked.serial is None:
        raise OperatorError(f"'{asked.kind}' needs the number of a card: give it.")
    return asked.serial
