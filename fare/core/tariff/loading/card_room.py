"""What a tariff asks a card's record to remember and what finds no room there: a fault or a warning for each.

A fare that the bus cannot know is settled by the ledger later. A ride that is not counted is ridden again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fare.core.tariff.card_state import layout, not_on_card
from fare.core.tariff.loading.fares import LEG_RULES, TRANSFER_RULES
from fare.core.tariff.loading.findings import Findings
from fare.core.tariff.loading.saying import any_of, each_of, say
from fare.core.tariff.loading.toml_text import FILE, Path, TomlText
from fare.core.tariff.model import EMPTY, FareMedium, PassProduct, Tariff

_TABLES: Final = {
    "window": ("windows", "window_id"),
    "cap": ("caps", "cap_id"),
    "pass": ("passes", "product_id"),
}


def check_counted_rides(tariff: Tariff, text: TomlText, findings: Findings) -> None:
    """Note each multi-ride pass on cards whose rides the record has no room to count."""
    left_out = not_on_card(tariff)
    for product in tariff.passes:
        ref = f"pass:{product.product_id}"
        if ref not in left_out or not _is_counted_on_cards(tariff, product):
            continue
        others = [part.ref for part in layout(tariff).parts if part.ref != "tap_off"]
        alone = [other for other in others if ref not in not_on_card(_without(tariff, other))]
        mend = (
            say("leave out {parts}", parts=any_of([_called(other) for other in alone]))
            if alone
            else say("leave out some of {parts}", parts=each_of([_called(other) for other in others]))
        )
        path = _path(tariff, ref)
        findings.fault(
            FILE,
            text.line(path),
            "",
            say(
                "the card's record has no room for {part}: its rides would not be counted",
                part=_called(ref),
            ),
            say("{mend}, or give the pass a length instead of rides", mend=mend),
        )


def warn_of_what_has_no_room(tariff: Tariff, text: TomlText, findings: Findings) -> None:
    """Note what the bus does not apply, so that the ledger settles it."""
    for ref in not_on_card(tariff):
        path = _path(tariff, ref)
        file = FILE if path else LEG_RULES if ref == "joins" else TRANSFER_RULES
        findings.warn(
            file,
            text.line(path) if path else None,
            "",
            say(
                "the card's record has no room for {part}: the bus does not apply it, and the "
                "ledger settles the difference later",
                part=_called(ref),
            ),
            say("nothing if that is meant; fewer or simpler tables leave more room"),
        )


def _is_counted_on_cards(tariff: Tariff, product: PassProduct) -> bool:
    """Whether the pass has so many rides, and is sold for cards among other media."""
    media = {row.fare_media_id for row in tariff.products if row.product_id == product.product_id}
    card = tariff.media.get(FareMedium.CARD, EMPTY)
    return product.rides is not None and (not media or EMPTY in media or card in media)


def _without(tariff: Tariff, ref: str) -> Tariff:
    kind, _, one = ref.partition(":")
    if kind == "transfers":
        return replace(tariff, transfer_rules=())
    key, attribute = _TABLES[kind]
    kept = tuple(each for each in getattr(tariff, key) if getattr(each, attribute) != one)
    return replace(tariff, **{key: kept})


def _called(ref: str) -> str:
    """A part of the card's record, as people call it: "cap:day" is cap day."""
    kind, _, one = ref.partition(":")
    if kind == "window":
        return say("window {one}", one=one)
    if kind == "cap":
        return say("cap {one}", one=one)
    if kind == "pass":
        return say("pass {one}", one=one)
    return say("joins") if kind == "joins" else say("transfers")


def _path(tariff: Tariff, ref: str) -> Path:
    """The table of `mancard.toml` that a reference names; empty for one of the text files."""
    kind, _, one = ref.partition(":")
    if kind not in _TABLES:
        return ()
    key, attribute = _TABLES[kind]
    place = next(place for place, each in enumerate(getattr(tariff, key)) if getattr(each, attribute) == one)
    return (key, place)
