"""Rolling the cards' keys takes two people, and never leaves a card or a device behind unsaid."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.core.errors import OperatorError
from fare.database.engine import open_engine, read, write
from fare.fleet import create_device, note_card_keys, revoke
from fare.fleet.card_keys import KeyAction, KeyChange, apply_change, overview, request_change
from fare.issuing import deny_card, register_card
from fare.issuing.key_generations import GenerationUse, generation_use
from fare.issuing.models import Card
from fare.keys import GenerationState, LedgerKeys
from fare.settings import LedgerSettings
from fare.staff import NotApproved, Role, approve
from tests.staff.commands import Commands
from tests.staff.people import PASSWORD, add_people

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def keys(engine: Engine, tmp_path: Path) -> LedgerKeys:
    add_people(engine, tara=Role.TECHNICIAN, sara=Role.FINANCE)
    return LedgerKeys.open(tmp_path / "keys")


def allowed(engine: Engine, change: KeyChange) -> str:
    with write(engine) as session:
        asked = request_change(session, change, "tara", NOW)
        assert approve(session, asked.approval_id, asked.payload_sha256, "sara", NOW) is None
    return asked.approval_id


def do(engine: Engine, keys: LedgerKeys, action: KeyAction, version: int, *, force: bool = False) -> None:
    change = KeyChange(action, version, force)
    approval_id = allowed(engine, change)
    with write(engine) as session:
        apply_change(session, keys.cards, change, approval_id, NOW)


def a_card(engine: Engine, keys: LedgerKeys, number: int) -> int:
    with write(engine) as session:
        return register_card(session, keys, uid=bytes([4, 0, 0, 0, 0, 0, number]), now=NOW)


def rolled(engine: Engine, serial: int, version: int) -> None:
    with write(engine) as session:
        session.get_one(Card, serial).key_version = version


def test_no_change_happens_without_a_second_person(engine: Engine, keys: LedgerKeys) -> None:
    change = KeyChange(KeyAction.NEW_GENERATION, 2)
    with write(engine) as session:
        asked = request_change(session, change, "tara", NOW)
    with pytest.raises(NotApproved), write(engine) as session:
        apply_change(session, keys.cards, change, asked.approval_id, NOW)
    assert keys.cards.versions == (1,)
    approval_id = allowed(engine, change)
    other = KeyChange(KeyAction.RETIRE, 2)
    with pytest.raises(NotApproved), write(engine) as session:
        apply_change(session, keys.cards, other, approval_id, NOW)
    with write(engine) as session:
        apply_change(session, keys.cards, change, approval_id, NOW)
    assert (keys.cards.versions, keys.cards.current) == ((1, 2), 1)
    with pytest.raises(NotApproved, match="used before"), write(engine) as session:
        apply_change(session, keys.cards, change, approval_id, NOW)
    with pytest.raises(OperatorError, match="may not ask"), write(engine) as session:
        request_change(session, change, "sara", NOW)


def test_a_generation_waits_for_the_devices(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        for device in (7, 8, 9):
            create_device(session, device, NOW)
        note_card_keys(session, 7, 1)
        revoke(session, 9, NOW)
    do(engine, keys, KeyAction.NEW_GENERATION, 2)
    with pytest.raises(OperatorError, match=r"device 7, 8: bring each.*mancard fleet card-keys"):
        do(engine, keys, KeyAction.ACTIVATE, 2)
    assert keys.cards.current == 1
    with write(engine) as session:
        note_card_keys(session, 7, 2)
    with pytest.raises(OperatorError, match="device 8: bring"):
        do(engine, keys, KeyAction.ACTIVATE, 2)
    with write(engine) as session:
        note_card_keys(session, 8, 2)
    do(engine, keys, KeyAction.ACTIVATE, 2)
    assert keys.cards.current == 2
    with read(engine) as session:
        assert [(one.version, one.lacking) for one in overview(session, keys.cards)] == [(1, ()), (2, ())]
    with pytest.raises(OperatorError, match="no device 9 in service"), write(engine) as session:
        note_card_keys(session, 9, 2)


def test_devices_may_be_left_behind_if_that_is_what_was_approved(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        create_device(session, 7, NOW)
    do(engine, keys, KeyAction.NEW_GENERATION, 2)
    approval_id = allowed(engine, KeyChange(KeyAction.ACTIVATE, 2))
    with pytest.raises(NotApproved, match="something else"), write(engine) as session:
        apply_change(session, keys.cards, KeyChange(KeyAction.ACTIVATE, 2, force=True), approval_id, NOW)
    do(engine, keys, KeyAction.ACTIVATE, 2, force=True)
    assert keys.cards.current == 2


def test_a_generation_is_retired_when_no_active_card_has_it(engine: Engine, keys: LedgerKeys) -> None:
    first, lost = a_card(engine, keys, 1), a_card(engine, keys, 2)
    do(engine, keys, KeyAction.NEW_GENERATION, 2)
    do(engine, keys, KeyAction.ACTIVATE, 2)
    second = a_card(engine, keys, 3)
    with pytest.raises(OperatorError, match="on 2 active cards"):
        do(engine, keys, KeyAction.RETIRE, 1)
    rolled(engine, first, 2)
    with pytest.raises(OperatorError, match="on 1 active card:"):
        do(engine, keys, KeyAction.RETIRE, 1)
    with write(engine) as session:
        deny_card(session, lost)
        assert generation_use(session) == {1: GenerationUse(0, 2), 2: GenerationUse(2, 1)}
    do(engine, keys, KeyAction.RETIRE, 1)
    # Proofs of the rolled card, and of the lost one's late rides, are still checked with it.
    assert [(one.version, one.state) for one in keys.cards.listed()] == [
        (1, GenerationState.RETIRED),
        (2, GenerationState.CURRENT),
    ]
    assert second


def test_a_generation_that_no_card_ever_had_is_gone_at_once(engine: Engine, keys: LedgerKeys) -> None:
    do(engine, keys, KeyAction.NEW_GENERATION, 2)
    do(engine, keys, KeyAction.RETIRE, 2)
    assert [one.version for one in keys.cards.listed()] == [1]


def test_the_commands_roll_the_keys(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_people(open_engine(LedgerSettings().database_url), tara=Role.TECHNICIAN, sara=Role.FINANCE)

    def say(*arguments: str, password: str = PASSWORD) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        status, out, err = commands("keys", *arguments)
        assert (status, err) == (0, ""), err
        return out

    def through(*arguments: str) -> str:
        asked = say(*arguments, "--as", "tara")
        approval_id = asked.split("mancard keys approve ")[1].split()[0]
        assert "tara asks for this change" in say("approve", approval_id, "--as", "sara")
        return say(*arguments, "--approval", approval_id)

    kit = tmp_path / "kit"
    assert commands("fleet", "enrol", "7", "--out", str(kit))[0] == 0
    assert "new generation 2" in through("new-generation")
    assert "not on device 7" in say("list")
    status, _, err = commands("keys", "activate", "2", "--as", "tara")
    assert status == 2
    assert "device 7" in err
    claim = (kit / "kit.json").read_bytes()
    status, out, err = commands("fleet", "card-keys", "7", "--out", str(kit))
    assert (status, err) == (0, "")
    assert "generations 1, 2" in out
    assert (kit / "kit.json").read_bytes() == claim, "the enrolment is as it was"
    carried = json.loads((kit / "card-keys.json").read_text())
    assert sorted(carried["k1_masters"]) == ["1", "2"]
    assert "current" in say("list")
    through("activate", "2")
    assert "    2  current" in say("list")
    through("retire", "1")
    assert commands("fleet", "card-keys", "7", "--out", str(kit))[0] == 0
    assert sorted(json.loads((kit / "card-keys.json").read_text())["k1_masters"]) == ["2"]
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    status, _, err = commands("keys", "new-generation", "--as", "tara")
    assert (status, err) == (2, "mancard: That is not the password of tara: try again.\n")
    assert commands("keys", "retire", "2")[0] == 2
