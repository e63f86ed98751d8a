"""Versions rise, totals only grow, and what was signed is kept as it was signed."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from fare.core import entitlement
from fare.database.engine import read, write
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    deny_card,
    entitlement_bytes,
    entitlements_waiting,
    mark_seen,
    newest_funds,
    sign_next_entitlement,
)
from fare.issuing.models import Entitlement
from fare.keys import LedgerKeys
from tests.issuing.build import AT, a_card, load, uid_of

DAY = date(2026, 11, 22)


def test_each_version_is_signed_over_the_one_before(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        raw = sign_next_entitlement(session, keys, serial, add_loaded_rial=100, now=AT)
        again = sign_next_entitlement(
            session, keys, serial, add_loaded_rial=10, add_withdrawn_rial=30, now=AT
        )
    ring = {keys.card_issuer.kid: keys.card_issuer.public}
    for signed, version, loaded, withdrawn in ((raw, 2, 100, 0), (again, 3, 110, 30)):
        found = entitlement.verify(signed, ring, uid=uid_of(1), aid=entitlement.decode(raw).aid)
        assert not isinstance(found, entitlement.EntitlementFault)
        assert (found.version, found.loaded_total_rial, found.withdrawn_total_rial) == (
            version,
            loaded,
            withdrawn,
        )
    with read(engine) as session:
        assert entitlement_bytes(session, {(serial, 2), (serial, 3), (serial, 4), (9, 1)}) == {
            (serial, 2): raw,
            (serial, 3): again,
        }
        assert newest_funds(session, [serial]) == {serial: (80, 0)}


@pytest.mark.parametrize(
    ("loaded", "withdrawn", "reason"),
    [
        (-1, 0, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
        (0, -1, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
        (0, 1, IssuingRefusal.SHORT_OF_FUNDS),
        (2**32, 0, IssuingRefusal.CARD_IS_FULL),
    ],
)
def test_totals_that_cannot_be(
    engine: Engine, keys: LedgerKeys, loaded: int, withdrawn: int, reason: IssuingRefusal
) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        sign_next_entitlement(
            session, keys, serial, add_loaded_rial=loaded, add_withdrawn_rial=withdrawn, now=AT
        )
    assert caught.value.reason is reason


def test_many_versions_are_found_at_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serials = [a_card(session, keys, number) for number in range(1100)]
        found = entitlement_bytes(session, {(serial, 1) for serial in serials})
    assert set(found) == {(serial, 1) for serial in serials}
    assert all(entitlement.decode(raw).serial == serial for (serial, _), raw in found.items())


def test_what_waits_is_the_newest_unseen_version(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        plain, loaded, twice, blocked = (a_card(session, keys, n) for n in range(4))
        load(session, keys, "card", str(loaded), 5)
        load(session, keys, "card", str(twice), 5)
        load(session, keys, "card", str(twice), 5)
        load(session, keys, "card", str(blocked), 5)
        deny_card(session, blocked)
    with read(engine) as session:
        waiting = {
            serial: entitlement.decode(raw).version for serial, raw in entitlements_waiting(session).items()
        }
    assert waiting == {loaded: 2, twice: 3}
    assert plain not in waiting
    with write(engine) as session:
        mark_seen(session, {(loaded, 2), (twice, 2)}, DAY)
        assert set(entitlements_waiting(session)) == {twice}
        mark_seen(session, {(twice, 3)}, DAY)
        assert entitlements_waiting(session) == {}


def test_a_version_seen_covers_those_before_it_and_keeps_its_first_day(
    engine: Engine, keys: LedgerKeys
) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        for _ in range(3):
            load(session, keys, "card", str(serial), 5)
    with write(engine) as session:
        mark_seen(session, {(serial, 2)}, DAY)
        mark_seen(session, {(serial, 3), (serial, 1), (99, 7)}, date(2026, 11, 23))
        mark_seen(session, set(), DAY)
    with read(engine) as session:
        days = [session.get_one(Entitlement, (serial, version)).seen_day for version in (1, 2, 3, 4)]
    assert days == [DAY, DAY, date(2026, 11, 23), None]


def test_funds_include_the_signed_overdraft(engine: Engine, keys: LedgerKeys) -> None:
    from fare.issuing import register_card

    with write(engine) as session:
        serial = register_card(session, keys, uid=uid_of(5), now=AT, overdraft_rial=35_000)
        assert newest_funds(session, [serial]) == {serial: (0, 35_000)}
        assert newest_funds(session, []) == {}
