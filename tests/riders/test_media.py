from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from fare.core.identifiers import InvalidMobile
from fare.database.engine import write
from fare.issuing import Purse
from fare.riders import HeldMedium, LinkRefusal, create_rider, holder_of, link, media_of, unlink

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def test_a_medium_is_in_one_riders_hands_at_a_time(engine: Engine) -> None:
    with write(engine) as session:
        one, two = create_rider(session, NOW), create_rider(session, NOW)
        assert link(session, one, Purse.CARD, "1001", NOW) is None
        assert link(session, one, Purse.CARD, "1001", LATER) is None
        assert link(session, two, Purse.CARD, "1001", NOW) is LinkRefusal.HELD_BY_ANOTHER
        assert link(session, two, Purse.WALLET, "1001", NOW) is None
        assert holder_of(session, Purse.CARD, "1001") == one
        unlink(session, one, Purse.CARD, "1001", LATER)
        assert holder_of(session, Purse.CARD, "1001") is None
        assert link(session, two, Purse.CARD, "1001", LATER) is None
        assert media_of(session, one) == [HeldMedium(Purse.CARD, "1001", NOW, LATER)]
        assert media_of(session, two) == [
            HeldMedium(Purse.WALLET, "1001", NOW, None),
            HeldMedium(Purse.CARD, "1001", LATER, None),
        ]


def test_one_mobile_number_is_one_rider(engine: Engine) -> None:
    with write(engine) as session:
        one = create_rider(session, NOW, "09123456789")
        assert create_rider(session, NOW, "+۹۸ ۹۱۲ ۳۴۵ ۶۷۸۹") == one
        assert create_rider(session, NOW) != one
        with pytest.raises(InvalidMobile):
            create_rider(session, NOW, "12345")


def test_an_unknown_rider_holds_nothing(engine: Engine) -> None:
    with write(engine) as session:
        assert link(session, "nobody", Purse.CARD, "1001", NOW) is LinkRefusal.UNKNOWN_RIDER
        unlink(session, "nobody", Purse.CARD, "1001", NOW)
        assert media_of(session, "nobody") == []
