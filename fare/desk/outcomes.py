"""What a job at a desk came to, as values, as sentences for people, and as facts for machines. No secret.

Amounts are rial; people read them in toman too. Times are aware; people read them in the Jalali calendar.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from fare.core.calendar import jalali_parts
from fare.core.money import format_amount

Facts: TypeAlias = dict[str, Any]
"""JSON: numbers, texts, true, false, null, lists and maps of these."""


class JobKind(StrEnum):
    """What a desk can be asked to do."""

    ISSUE = "issue"
    INSPECT = "inspect"
    LOAD = "load"
    BLOCK = "block"
    UNBLOCK = "unblock"
    REPLACE = "replace"
    ROLL = "roll"


class Outcome(Protocol):
    """The result of one job."""

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """What happened, a line each."""
        ...


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh chip is a card now. `tmc` is the counter of its first proof; `note` warns of what is wrong."""

    serial: int
    uid: bytes
    chip: str
    key_version: int
    tmc: int
    issued_at: datetime
    note: str | None

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        return [
            f"Card {self.serial} is issued: {self.chip}, chip {self.uid.hex().upper()}, keys of generation "
            f"{self.key_version}, first proof {self.tmc}, {moment(self.issued_at, zone)}.",
            *([self.note] if self.note else []),
        ]


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One of the last records on a card. `fault` says why it is not understood; then the rest is None."""

    at: datetime | None
    validator: int | None
    line: int | None
    fare_rial: int | None
    spent_after_rial: int | None
    on_pass: bool
    blocked: bool
    fault: str | None = None

    def sentence(self, zone: ZoneInfo) -> str:
        """The record as a line."""
        if self.fault is not None or self.at is None:
            return f"a record that is not understood here ({self.fault})"
        if not self.validator:
            what = "at a desk" + (", blocked" if self.blocked else "")
        else:
            paid = "on a pass" if self.on_pass else money(self.fare_rial or 0)
            what = f"bus device {self.validator}, line {self.line}: " + ("blocked" if self.blocked else paid)
        return f"{moment(self.at, zone)}  {what}"


@dataclass(frozen=True, slots=True)
class Inspected:
    """Everything readable of a card, beside what the ledger knows of it.

    `serial` is None for a card of ours that this ledger never registered. `version` is the entitlement on the
    card, None when it is not ours or unreadable (`entitlement_fault`); `waiting_version` a newer one that is
    signed and not yet on it, and `waiting_rial` what that one adds. `taps` are newest first.
    `unreported_rial`: spent beyond all that buses have reported. `is_restored`: its counter is below one that
    is proven; `is_copied`: another chip has used its counter, and it is denied now.
    """

    serial: int | None
    uid: bytes
    chip: str
    storage_bytes: int
    key_versions: tuple[int, ...]
    status: str | None
    spent_rial: int
    balance_rial: int | None
    version: int | None
    entitlement_fault: str | None
    rider_category: int | None
    expires_on: date | None
    blocked_on_card: bool
    waiting_version: int | None
    waiting_rial: int
    unreported_rial: int
    is_restored: bool
    is_copied: bool
    tmc: int
    taps: tuple[ReadRecord, ...]
    read_at: datetime

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        who = f"Card {self.serial}" if self.serial is not None else "A card that this ledger does not know"
        lines = [
            f"{who}: {self.chip}, {self.storage_bytes} bytes, chip {self.uid.hex().upper()}.",
            _key_sentence(self.key_versions),
            f"Ledger: {_STATUS.get(self.status or 'unknown', self.status)}."
            + (" The card itself carries a block." if self.blocked_on_card else ""),
        ]
        if self.version is None:
            lines.append(
                f"Its entitlement cannot be used ({self.entitlement_fault}): load or inspect it anew."
            )
        else:
            lines.append(
                f"Entitlement {self.version}, rider category {self.rider_category}, "
                f"until {self.expires_on and shown_day(self.expires_on)}."
            )
        if self.balance_rial is not None:
            lines.append(f"Balance: {money(self.balance_rial)}.")
        lines.append(f"Spent, ever: {money(self.spent_rial)}. Last proof: {self.tmc}.")
        if self.waiting_version is not None:
            lines.append(
                f"Waiting: entitlement {self.waiting_version}, {money(self.waiting_rial)} more; "
                "the next bus or 'load' writes it."
            )
        if self.unreported_rial:
            lines.append(f"Not reported by any bus yet: {money(self.unreported_rial)}.")
        if self.is_restored or self.is_copied:
            lines.append("This is not the only image of this card: keep it, and look at the card proof.")
        return lines + [f"  {tap.sentence(zone)}" for tap in self.taps]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load was paid and signed. `on_card`: its entitlement is on the card; `note` says what is wrong."""

    serial: int
    amount_rial: int
    order_id: str
    on_card: bool
    note: str | None

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        signed = f"Order {self.order_id}: {money(self.amount_rial)} signed for card {self.serial}"
        if self.on_card:
            return [f"{signed} and written onto it.", *([self.note] if self.note else [])]
        return [f"{signed}. The next bus it meets writes that onto it.", *([self.note] if self.note else [])]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A card is on the denylist (`blocked`) or off it. `on_card`: its own newest record says the same."""

    serial: int
    blocked: bool
    on_card: bool
    note: str | None

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        state = "on the denylist" if self.blocked else "off the denylist"
        if self.on_card:
            written = "blocked" if self.blocked else "unblocked"
            said = f"Card {self.serial} is {state}, and the card itself is {written}."
            return [said, *([self.note] if self.note else [])]
        said = (
            f"Card {self.serial} is {state}: buses refuse it once they have the next bundle."
            if self.blocked
            else f"Card {self.serial} is {state}. If a bus blocked it, lay it on a reader to unblock it too."
        )
        return [said, *([self.note] if self.note else [])]


@dataclass(frozen=True, slots=True)
class Replaced:
    """How far the replacement of a lost card is. `moved_rial` is None until its balance has moved."""

    old_serial: int
    new_serial: int | None
    moves_at: datetime
    moved_rial: int | None
    on_card: bool
    note: str | None

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        if self.moved_rial is not None:
            where = "are on it" if self.on_card else "are written onto it by the next bus"
            return [
                f"Card {self.old_serial} is replaced by card {self.new_serial}: "
                f"{money(self.moved_rial)} moved and {where}.",
                *([self.note] if self.note else []),
            ]
        lines = [
            f"Card {self.old_serial} is denied. Its balance may move from {moment(self.moves_at, zone)} on."
        ]
        if self.new_serial is not None:
            lines.append(
                f"It will go to card {self.new_serial}: from then on 'replace {self.old_serial} --with "
                f"{self.new_serial}' moves it, or 'mancard card replace --due' at the ledger."
            )
        return lines + ([self.note] if self.note else [])


@dataclass(frozen=True, slots=True)
class Rolled:
    """A card has the keys of this generation now; `before` is what the ledger knew."""

    serial: int
    key_version: int
    before: int

    def sentences(self, zone: ZoneInfo) -> list[str]:
        """See Outcome."""
        if self.before == self.key_version:
            return [f"Card {self.serial} already has the keys of generation {self.key_version}."]
        return [f"Card {self.serial} now has the keys of generation {self.key_version}."]


_STATUS: Final = {"replaced": "replaced, its balance belongs to its successor", "unknown": "unknown"}


def _key_sentence(versions: tuple[int, ...]) -> str:
    if len(set(versions)) == 1:
        return f"Keys: generation {versions[0]}."
    told = ", ".join(f"k{number} {version}" for number, version in enumerate(versions))
    return f"Keys: of several generations ({told}): 'roll' makes them one."


def money(amount_rial: int) -> str:
    """«120,000 rial (12,000 toman)»."""
    toman = format_amount(amount_rial, unit="toman", locale="en")
    return f"{format_amount(amount_rial, unit='rial', locale='en')} ({toman})"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """An instant in the city's time and the Jalali calendar: «1405/09/01 08:12»."""
    local = at.astimezone(zone)
    return f"{shown_day(local.date())} {local:%H:%M}"


def shown_day(day: date) -> str:
    """«1405/09/01», in the digits of a terminal."""
    year, month, day_of_month = jalali_parts(day)
    return f"{year:04}/{month:02}/{day_of_month:02}"


def facts(outcome: object) -> Facts:
    """A result as JSON: bytes in hex, times in ISO 8601."""
    if not dataclasses.is_dataclass(outcome):
        raise TypeError("only the results of jobs are told as facts")
    return {one.name: _plain(getattr(outcome, one.name)) for one in dataclasses.fields(outcome)}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    return facts(value) if dataclasses.is_dataclass(value) else value
