"""Why a tap cost what it cost, in one sentence that a rider understands. It prices nothing."""

from __future__ import annotations

from collections.abc import Sequence

from fare.core.money import Unit
from fare.core.tariff.context import Price, Rule, Step
from fare.core.tariff.model import Tariff, TransferWindow
from fare.core.tariff.naming import Speech, TariffLocale

_FREE_IS_SAID = {Rule.TRANSFER, Rule.WINDOW, Rule.CAP, Rule.MAXIMUM, Rule.INCOMPLETE}


def explain(tariff: Tariff, priced: Price | Sequence[Step], locale: TariffLocale, unit: Unit = "rial") -> str:
    """The reasons of a price, in the order in which they were applied, as one sentence."""
    speech = Speech(tariff, locale, unit)
    steps = priced.steps if isinstance(priced, Price) else priced
    if not steps:
        return speech.sentence(speech.say("why_nothing"))
    return speech.sentence(*dict.fromkeys(_reason(speech, step) for step in steps))


def within(speech: Speech, window: TransferWindow) -> str:
    """How long a window lasts: "within 60 minutes"."""
    if window.seconds is not None:
        return speech.say("within_duration", duration=speech.duration(window.seconds))
    return speech.say("within_day" if window.ends_with_service_day else "within_ever")


def _reason(speech: Speech, step: Step) -> str:
    free = step.rule in _FREE_IS_SAID and step.amount == 0
    word = f"why_{step.rule.value}" + ("_free" if free else "")
    return speech.say(word, amount=speech.money(step.amount), **_parts(speech, step))


def _parts(speech: Speech, step: Step) -> dict[str, str]:
    tariff = speech.tariff
    match step.rule:
        case Rule.FARE | Rule.DEFAULT_FARE | Rule.PASS | Rule.MULTI_RIDE:
            return {"name": speech.product(step.ref)}
        case Rule.CONCESSION:
            names = (each.name for each in tariff.concessions if each.concession_id == step.ref)
        case Rule.CAP:
            names = (each.name for each in tariff.caps if each.cap_id == step.ref)
        case Rule.FREE_DAY:
            return {"name": speech.own(step.ref)}
        case Rule.TOO_MANY:
            return {"count": speech.number(tariff.companions.most)}
        case Rule.WINDOW:
            windows = (within(speech, each) for each in tariff.windows if each.window_id == step.ref)
            return {"within": next(windows, "")}
        case _:
            return {}
    return {"name": speech.say("quoted", text=speech.own(next(names, "") or step.ref))}
