from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from fare.core.errors import OperatorError
from fare.core.identifiers import InvalidIban
from fare.database.engine import read, write
from fare.fleet import change_iban, iban_change, import_assignments, owners
from fare.network import import_feed
from fare.staff import Action, ApprovalView, NotApproved, Role, approve, request
from tests.fleet.files import IBAN_ONE, IBAN_TWO, row, write_file
from tests.network.feeds import write_zip
from tests.staff.people import add_people

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def city(engine: Engine, tmp_path: Path) -> Engine:
    add_people(engine, sara=Role.FINANCE, reza=Role.FINANCE)
    with write(engine) as session:
        import_feed(session, write_zip(tmp_path / "feed.zip"), NOW)
        import_assignments(session, write_file(tmp_path, row()), ZoneInfo("Asia/Tehran"))
    return engine


def iban_of(engine: Engine) -> str:
    with read(engine) as session:
        return owners(session)[0].iban


def test_an_iban_changes_only_with_a_second_person(city: Engine) -> None:
    with write(city) as session:
        asked = request(session, Action.CHANGE_IBAN, iban_change("o-1", IBAN_TWO), "sara", NOW)
    assert isinstance(asked, ApprovalView)
    with pytest.raises(NotApproved), write(city) as session:
        change_iban(session, "o-1", IBAN_TWO, asked.approval_id, NOW)
    assert iban_of(city) == IBAN_ONE
    with write(city) as session:
        assert approve(session, asked.approval_id, asked.payload_sha256, "reza", NOW) is None
    with write(city) as session:
        change_iban(session, "o-1", IBAN_TWO, asked.approval_id, NOW)
    assert iban_of(city) == IBAN_TWO


def test_what_cannot_be_changed_is_told(city: Engine) -> None:
    with pytest.raises(InvalidIban):
        iban_change("o-1", IBAN_ONE[:-1] + "2")
    with pytest.raises(OperatorError, match="no owner"), write(city) as session:
        change_iban(session, "o-9", IBAN_TWO, "none", NOW)
