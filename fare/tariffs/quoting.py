"""Quotes: what a tariff charges for cases, tap by tap, with the reason a rider can read.

`mancard tariff quote FOLDER CASES.json`. It opens no database and changes nothing, so a tariff can be tried
before anybody has approved it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fare.core.errors import OperatorError
from fare.core.money import Unit
from fare.core.tariff.context import Price, Rule, Step
from fare.core.tariff.history import PricedTap, price_history
from fare.core.tariff.loading import TariffFaults
from fare.core.tariff.loading.saying import each_of, say, told
from fare.core.tariff.model import Tariff
from fare.core.tariff.sentences import TariffLocale, explain
from fare.tariffs.case_fields import nearest
from fare.tariffs.case_taps import taps_of
from fare.tariffs.cases import Case, CaseFileRefused, CaseTap, open_cases
from fare.tariffs.source import open_tariff

Language = TariffLocale

_MOST_PLACES: Final = 5
_LONG_AFTER_S: Final = 1 << 33
"""A case's `until` closes what is still open then, whether or not the tariff would wait for longer."""


@dataclass(frozen=True, slots=True)
class QuotedTap:
    """One tap's price in minor units: `charge` at the validator, `adjustment` by the ledger.

    `charge` None: no rule prices the ride. `rule` is the word of the rule that decided last, `steps` all of
    them, `tell` what makes a sentence of them in the language asked for.
    """

    charge: int | None
    adjustment: int
    product: str | None
    rule: Rule
    boards: bool
    price: Price
    steps: tuple[Step, ...]
    tell: Callable[[tuple[Step, ...]], str] = field(repr=False, compare=False)

    @property
    def why(self) -> str:
        """The reasons as a rider reads them: made when asked for, since a comparison asks for few."""
        return self.tell(self.steps)

    @property
    def due(self) -> int | None:
        """What the tap costs in the end."""
        return None if self.charge is None else self.charge + self.adjustment


@dataclass(frozen=True, slots=True)
class Quote:
    """A case's price: `taps` in the case's own order; `total` None where any of it is not known.

    `refund`: what comes back for the card, where the case asks. `error`: sentences that say what is wrong.
    """

    case_id: str
    total: int | None
    taps: tuple[QuotedTap, ...] = ()
    refund: int | None = None
    error: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The result as docs/tariff.md describes it."""
        found: dict[str, Any] = {
            "id": self.case_id,
            "total": self.total,
            "taps": [
                {
                    "charge": tap.charge,
                    "adjustment": tap.adjustment,
                    "product": tap.product,
                    "why": tap.why,
                    "rule": tap.rule.value,
                    "boards": tap.boards,
                }
                for tap in self.taps
            ],
        }
        if self.refund is not None:
            found["refund"] = self.refund
        if self.error is not None:
            found["error"] = self.error
        return found


def quote_case(tariff: Tariff, case: Case, language: Language = "en", unit: Unit = "rial") -> Quote:
    """Price one case. What is wrong with it is in `error`; nothing is raised. Rial are told in `unit`."""
    taps, faults = taps_of(tariff, case)
    if faults:
        return Quote(case.case_id, None, error=" ".join(told(fault, language) for fault in faults))
    # Taps within one second keep the order of their fractions, which a tap's whole seconds no longer tell.
    order = sorted(range(len(taps)), key=lambda index: case.taps[index].at)
    closes_s = None if case.until is None else _LONG_AFTER_S
    purses = _purses([case.taps[index] for index in order])
    in_time = [taps[index] for index in order]
    priced, _ = price_history(lambda _: tariff, in_time, closes_s, as_given=True, purses=purses)

    def tell(steps: tuple[Step, ...]) -> str:
        return explain(tariff, steps, language, unit)

    quoted: list[QuotedTap | None] = [None] * len(taps)
    for index, each in zip(order, priced, strict=True):
        quoted[index] = _quoted(each, tell)
    found = tuple(tap for tap in quoted if tap is not None)
    unknown = [index for index, tap in enumerate(found) if tap.charge is None]
    return Quote(
        case.case_id,
        None if unknown else sum(tap.due or 0 for tap in found),
        found,
        _refund(tariff, case, priced, purses) if case.refund else None,
        told(_no_fare(tariff, case, unknown), language) if unknown else None,
    )


def _no_fare(tariff: Tariff, case: Case, unknown: Sequence[int]) -> str:
    """Which taps have no fare, and what to do about it."""
    places = each_of([f"{case.place}.taps[{index}]" for index in unknown[:_MOST_PLACES]])
    more = say(" and {count} more", count=len(unknown) - _MOST_PLACES) if len(unknown) > _MOST_PLACES else ""
    problem = say("{places}{more}: no rule of the tariff prices this ride.", places=places, more=more)
    stops = dict.fromkeys(case.taps[index].stop_id for index in unknown if case.taps[index].area_id is None)
    nowhere = [stop for stop in stops if stop is not None and stop not in tariff.stop_areas]
    if nowhere and tariff.area_ids:
        return say(
            '{problem} The stop "{stop}" lies in no area.{mend}',
            problem=problem,
            stop=nowhere[0],
            mend=nearest(nowhere[0], tariff.stop_areas),
        )
    if case.fare_media is None and all(each.fare_media_id for each in tariff.products):
        return say(
            "{problem} Every price of the tariff is for one fare medium. Do: say which, as fare_media.",
            problem=problem,
        )
    return say("{problem} Do: add a leg rule or a [default_fare].", problem=problem)


def quote_cases(tariff: Tariff, cases: Iterable[Case], language: Language = "en") -> list[Quote]:
    """Price cases, in their order."""
    return [quote_case(tariff, case, language) for case in cases]


def _quoted(each: PricedTap, tell: Callable[[tuple[Step, ...]], str]) -> QuotedTap:
    price = each.price
    return QuotedTap(
        charge=price.amount if price.known else None,
        adjustment=each.adjustment,
        product=price.product_id,
        rule=each.steps[-1].rule if each.steps else price.rule,
        boards=price.boards,
        price=price,
        steps=each.steps,
        tell=tell,
    )


def _purses(taps: Sequence[CaseTap]) -> dict[int, int]:
    """What the purse held before those taps that say so, by their places."""
    return {place: tap.balance for place, tap in enumerate(taps) if tap.balance is not None}


def _refund(tariff: Tariff, case: Case, priced: Sequence[PricedTap], purses: Mapping[int, int]) -> int:
    """What comes back with the card: the purse less the fee, never below zero, and the deposit.

    A purse below zero is taken out of the deposit.
    """
    balance = case.balance or 0
    for place, each in enumerate(priced):
        balance = purses.get(place, balance) + each.price.loaded - each.price.amount - each.adjustment
    deposit = tariff.card.deposit if tariff.card.refund_deposit else 0
    if balance < 0:
        return max(0, deposit + balance)
    return max(0, balance - tariff.card.refund_fee) + deposit


def quote_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The tariff: a folder, or a GTFS zip.")],
    cases: Annotated[Path, typer.Argument(metavar="CASES.json", help="Riders and their taps.")],
    language: Annotated[
        str, typer.Option("--language", metavar="fa|en", help="In which language the reasons are.")
    ] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the results there, not here.")
    ] = None,
) -> None:
    """Price cases by a tariff that need not be published: what each tap costs, and why."""
    chosen = language_of(language)
    with refusals_told(chosen):
        tariff, riders = open_tariff(folder, unfinished=True), open_cases(cases)
    quotes = quote_cases(tariff, riders, chosen)
    write_json({"results": [quote.to_document() for quote in quotes]}, out)
    if any(quote.error is not None for quote in quotes):
        raise typer.Exit(1)


@contextmanager
def refusals_told(language: Language) -> Generator[None]:
    """Tell what is wrong with a folder or a file of cases in this language."""
    try:
        yield
    except (TariffFaults, CaseFileRefused) as refused:
        raise OperatorError(refused.told(language)) from None


def language_of(text: str) -> Language:
    """The language an option names. Raises OperatorError for any other."""
    if text == "fa":
        return "fa"
    if text == "en":
        return "en"
    raise OperatorError(f'--language: "{text[:40]}" is not known. Do: write fa or en.')


def write_json(document: object, out: Path | None) -> None:
    """The document to a file, or to standard output. Raises OperatorError when the file cannot be written."""
    if out is None:
        plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
        sys.stdout.write(json.dumps(document, ensure_ascii=plain, indent=1) + "\n")
        return
    try:
        out.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as fault:
        raise OperatorError(f"{out} cannot be written ({fault.strerror}). Do: name another file.") from None
