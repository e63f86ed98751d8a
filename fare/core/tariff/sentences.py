"""A tariff as sentences that a person can read and approve, in Persian and in English; it prices nothing.

Each sentence names what it tells of, so that a page can put it beside the file it came from. Very long
tariffs are told in part: how much is missing is a sentence too.
"""

from __future__ import annotations

from fare.core.money import Unit
from fare.core.tariff.explaining import explain
from fare.core.tariff.model import Tariff
from fare.core.tariff.naming import Speech, TariffLocale
from fare.core.tariff.telling import Sentence, Topic
from fare.core.tariff.telling_fares import tell_concessions, tell_distance, tell_fares, tell_times
from fare.core.tariff.telling_rules import (
    tell_caps,
    tell_card,
    tell_companions,
    tell_free_days,
    tell_passes,
    tell_payment,
    tell_tap_off,
    tell_transfers,
)

__all__ = ["Sentence", "TariffLocale", "Topic", "explain", "sentences", "topic_title"]

_TELLERS = (
    tell_fares,
    tell_times,
    tell_distance,
    tell_concessions,
    tell_transfers,
    tell_caps,
    tell_passes,
    tell_tap_off,
    tell_companions,
    tell_payment,
    tell_free_days,
    tell_card,
)


def sentences(tariff: Tariff, locale: TariffLocale, unit: Unit = "rial") -> list[Sentence]:
    """All that a tariff says, topic by topic; amounts in rial are shown in `unit`."""
    speech = Speech(tariff, locale, unit)
    return [sentence for tell in _TELLERS for sentence in tell(speech)]


def topic_title(topic: Topic, locale: TariffLocale, tariff: Tariff) -> str:
    """The heading above the sentences of a topic."""
    return Speech(tariff, locale).say(f"topic_{topic.value}")
