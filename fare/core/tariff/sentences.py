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

__all__ = ["Sentence", "TariffLocale", "Topic", "abridged", "explain", "sentences", "topic_title"]

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


def abridged(tariff: Tariff, locale: TariffLocale, unit: Unit, most: int) -> list[Sentence]:
    """At most so many sentences of each topic, the last of which says how many are left out.

    Never so many in all: whoever writes a thousand fares must not push the rest out of sight.
    """
    speech = Speech(tariff, locale, unit)
    by_topic: dict[Topic, list[Sentence]] = {}
    for sentence in sentences(tariff, locale, unit):
        by_topic.setdefault(sentence.topic, []).append(sentence)
    told: list[Sentence] = []
    for topic, some in by_topic.items():
        if len(some) <= most:
            told += some
            continue
        left_out = speech.say("many_rules", count=speech.number(len(some) - most + 1))
        told += [*some[: most - 1], Sentence(speech.sentence(left_out), "", topic)]
    return told


def topic_title(topic: Topic, locale: TariffLocale, tariff: Tariff) -> str:
    """The heading above the sentences of a topic."""
    return Speech(tariff, locale).say(f"topic_{topic.value}")
