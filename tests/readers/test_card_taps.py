"""Cards whose tap fails by what the validator lacks: the keys of a generation, or the store of its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fare.core.desfire.keys import CardKey, CardMasters, KeyPurpose, ValidatorKeys
from fare.core.tap import Outcome
from readers.ports import KeyStoreFault
from readers.shown import Lamp
from readers.web.words import LOCALES, shown_text
from tests.readers.bus import NOW_S, SYSTEM_ID, Bus, Issuer
from tests.readers.chips import chip_with, present, put_back


def newer(masters: CardMasters) -> CardMasters:
    """The next generation of a system's keys."""
    return replace(masters, version=masters.version + 1, k0=bytes(16), k1=b"\x22" * 16, k2=b"\x23" * 16)


def test_a_card_with_newer_keys_than_the_bus_is_not_called_a_fake(bus: Bus, issuer: Issuer) -> None:
    old, issuer.masters = issuer.masters, newer(issuer.masters)
    rolled = chip_with(issuer, 2001)
    both_older = ValidatorKeys({1: old.k1, 0: bytes(16)}, SYSTEM_ID)
    for keys in (bus.process.kit.card_keys, both_older):
        bus.process._validator._cards._keys = keys
        shown = present(bus, put_back(rolled).transmit)
        assert (shown.lamp, shown.reason, shown.balance_rial) == (Lamp.RED, "keys_too_old", None)
        tap = bus.journalled()[-1]
        assert (tap.outcome, tap.reason, tap.card, tap.seq) == (
            Outcome.REFUSED,
            "keys_too_old",
            None,
            shown.seq,
        )
    for locale in LOCALES:
        sentence = shown_text(shown, locale)["sentence"]
        assert not {"counter", "genuine", "دفتر", "اصالت"} & set(sentence.replace(".", " ").split()), sentence


def test_a_card_of_another_system_with_keys_of_the_same_number_is_not_genuine(bus: Bus) -> None:
    assert present(bus, chip_with(Issuer(), 2001).transmit).reason == "card_not_genuine"


@dataclass(frozen=True)
class LostStore:
    """A token that was pulled out."""

    versions: Sequence[int] = (1,)
    current: int = 1

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        raise KeyStoreFault("There is no token 'validator-7' here: plug it in or correct the kit.")


def test_while_the_store_of_the_card_keys_is_gone_no_card_is_blamed_and_phones_ride(bus: Bus) -> None:
    cards = bus.process._validator._cards
    held, cards._keys = cards._keys, LostStore()
    shown = bus.tap("one")
    assert (shown.lamp, shown.reason, shown.seq) == (Lamp.RED, "out_of_service", None)
    assert "plug it in" in bus.process.problem
    assert bus.process.scan(bus.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    cards._keys = held
    assert bus.tap("one").lamp is Lamp.GREEN
    assert bus.process.problem == ""
    assert [tap.outcome for tap in bus.journalled()] == [Outcome.ACCEPTED] * 2
