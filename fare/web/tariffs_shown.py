"""How tariffs look on the console: which one is meant, as sentences by topic, amounts, and the plot. It asks
the database only for what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.core.tariff.loading import TariffFault
from fare.core.tariff.loading.saying import told as told_in
from fare.core.tariff.model import Tariff
from fare.core.tariff.naming import Speech, TariffLocale
from fare.core.tariff.sentences import Topic, abridged, topic_title
from fare.distribution import tariff_history
from fare.tariffs.drafts import draft
from fare.tariffs.effects import Bar, Effect
from fare.tariffs.publishing import DoesNotFit, publication_request, with_network
from fare.web.console import Reader

MOST_SENTENCES: Final = 1_500
"""Of one topic."""
_PLOT_HEIGHT: Final = 200
_PLOT_STEP: Final = 44
_BAR_WIDTH: Final = 36


@dataclass(frozen=True, slots=True)
class Told:
    """One topic of a tariff: its heading and its sentences."""

    topic: Topic
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToldFault:
    """A fault or warning in the reader's language; `row` and `column` are empty for a whole file or row."""

    file: str
    row: str
    column: str
    problem: str
    mend: str


@dataclass(frozen=True, slots=True)
class PlottedBar:
    """A bar of the plot, in units of its view box. `kind`: less, same or more; `label` is below it."""

    x: int
    y: int
    height: int
    kind: str
    riders: str
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Riders by what they pay more or less, from less to more. `thousands`: the labels count thousands."""

    width: int
    thousands: bool
    bars: tuple[PlottedBar, ...]


def language(reader: Reader) -> TariffLocale:
    """The language of sentences about tariffs: the console's."""
    return "en" if reader.t.locale == "en" else "fa"


def told(tariff: Tariff, reader: Reader) -> tuple[Told, ...]:
    """The whole tariff as a person reads it, topic by topic."""
    locale, by_topic = language(reader), dict[Topic, list[str]]()
    for sentence in abridged(tariff, locale, reader.figures.unit, MOST_SENTENCES):
        by_topic.setdefault(sentence.topic, []).append(sentence.text)
    return tuple(
        Told(topic, topic_title(topic, locale, tariff), tuple(lines)) for topic, lines in by_topic.items()
    )


def told_faults(found: Sequence[TariffFault], reader: Reader) -> tuple[ToldFault, ...]:
    """Faults or warnings as the page shows them."""
    locale = language(reader)
    return tuple(
        ToldFault(
            file=told_in(each.file, locale),
            row="" if each.row is None else reader.figures.plain(each.row),
            column=each.column,
            problem=told_in(each.problem, locale),
            mend=told_in(each.mend, locale),
        )
        for each in found
    )


def refusal(fault: OperatorError, reader: Reader) -> str:
    """Why something was refused; in the reader's language where it is about the tariff itself."""
    return fault.told(language(reader)) if isinstance(fault, DoesNotFit) else str(fault)


def chosen_tariff(session: Session, name: str) -> Tariff | None:
    """The tariff that an address names: `version:3`, `draft:ID` or `request:ID`, with the network's names."""
    kind, _, which = name.partition(":")
    if kind == "draft":
        found = draft(session, which)
        tariff = None if found is None else found.tariff
    elif kind == "request":
        asked = publication_request(session, which)
        tariff = None if asked is None else asked.tariff
    else:
        versions = {str(each.version): each for _, each in tariff_history(session)}
        tariff = versions.get(which) if kind == "version" else None
    return None if tariff is None else with_network(session, tariff)


def address_of(name: str) -> str:
    """The page of the tariff that is named so."""
    kind, _, which = name.partition(":")
    return f"/tariffs/{kind}s/{which}"


def money(tariff: Tariff, reader: Reader, amount: int) -> str:
    """An amount of a tariff, in rial or toman as the reader wants, or in the tariff's own currency."""
    return Speech(tariff, language(reader), reader.figures.unit).money(amount)


def name_of(tariff: Tariff, kind: str, which: str) -> str:
    """What people call a route, an area or another thing of a tariff."""
    return tariff.names.get(f"{kind}:{which}", which)


def category_names(tariff: Tariff) -> Mapping[str, str]:
    """Rider categories by id."""
    return {each.rider_category_id: each.name or each.rider_category_id for each in tariff.rider_categories}


def signed(amount_rial: int, reader: Reader) -> str:
    """A difference in the reader's unit with its sign in front, without the unit's word."""
    bare = reader.figures.bare_amount(abs(amount_rial))
    return f"+{bare}" if amount_rial > 0 else f"\u2212{bare}" if amount_rial < 0 else bare


def plot(effect: Effect, reader: Reader) -> Plot:
    """The bars as they are drawn: heights by riders, the tallest as high as the plot."""
    tallest = max((bar.riders for bar in effect.bars), default=1)
    rial_each = 10 if reader.figures.unit == "toman" else 1
    thousands = all(bar.up_to % (1000 * rial_each) == 0 for bar in effect.bars)
    scale = rial_each * (1000 if thousands else 1)
    return Plot(
        width=len(effect.bars) * _PLOT_STEP + 8,
        thousands=thousands,
        bars=tuple(_plotted(index, bar, tallest, scale, reader) for index, bar in enumerate(effect.bars)),
    )


def _plotted(index: int, bar: Bar, tallest: int, scale: int, reader: Reader) -> PlottedBar:
    # A single rider among thousands is still to be seen.
    height = max(3, bar.riders * _PLOT_HEIGHT // tallest) if bar.riders else 0
    sign = "+" if bar.up_to > 0 else "\u2212" if bar.up_to < 0 else ""
    return PlottedBar(
        x=index * _PLOT_STEP + 4 + (_PLOT_STEP - _BAR_WIDTH) // 2,
        y=_PLOT_HEIGHT - height,
        height=height,
        kind="same" if bar.up_to == 0 else "more" if bar.up_to > 0 else "less",
        riders=reader.figures.number(bar.riders) if bar.riders else "",
        # The mark keeps the sign in front of Persian digits.
        label=f"\u200e{sign}{reader.figures.plain(abs(bar.up_to) // scale)}",
    )
