"""The generations of the card keys: their states, the file that holds them, and what no change may lose."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fare.core.desfire.keys import CardMasters, KeyNotHeld, KeyPurpose
from fare.core.errors import OperatorError
from fare.keys import GenerationState, LedgerKeys, MasterFile
from fare.keys.generations import Roster

UID = bytes.fromhex("04112233445566")
STAGED, CURRENT = GenerationState.STAGED, GenerationState.CURRENT
OLDER, RETIRED = GenerationState.OLDER, GenerationState.RETIRED


def states(masters: MasterFile) -> list[tuple[int, GenerationState]]:
    return [(one.version, one.state) for one in masters.listed()]


@pytest.fixture
def masters(tmp_path: Path) -> MasterFile:
    (tmp_path / "keys").mkdir(mode=0o700)
    return MasterFile(tmp_path / "keys")


def test_a_generation_is_staged_then_current_then_older_then_gone(masters: MasterFile) -> None:
    assert states(masters) == [(1, CURRENT)]
    masters.add_generation(2)
    assert states(masters) == [(1, CURRENT), (2, STAGED)]
    assert masters.current == 1, "a new card gets no key that a validator may not have yet"
    assert masters.versions == (1, 2), "and yet validators are given both"
    masters.activate(2)
    assert states(masters) == [(1, OLDER), (2, CURRENT)]
    assert masters.current == 2
    masters.retire(1, keep_proofs=True)
    assert states(masters) == [(1, RETIRED), (2, CURRENT)]
    assert masters.versions == (2,)
    masters.retire(1, keep_proofs=False)
    assert states(masters) == [(2, CURRENT)]


def test_no_two_generations_share_a_key(masters: MasterFile) -> None:
    masters.add_generation(2)
    keys = [getattr(one, purpose) for one in masters.generations for purpose in KeyPurpose]
    assert len(set(keys)) == 2 * len(KeyPurpose)


def test_a_retired_generation_checks_proofs_and_opens_nothing(masters: MasterFile) -> None:
    masters.add_generation(2)
    masters.activate(2)
    before = masters.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal()
    masters.retire(1, keep_proofs=True)
    assert masters.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal() == before
    for purpose in (KeyPurpose.PICC, KeyPurpose.ISSUER, KeyPurpose.VALIDATOR, KeyPurpose.LOAD):
        with pytest.raises(KeyNotHeld):
            masters.key(purpose, 1, UID)
    masters.retire(1, keep_proofs=False)
    with pytest.raises(KeyNotHeld):
        masters.key(KeyPurpose.TRANSACTION_MAC, 1, UID)


def test_what_may_not_happen_is_told_and_changes_nothing(masters: MasterFile, tmp_path: Path) -> None:
    masters.add_generation(2)
    masters.add_generation(3)
    masters.activate(2)
    masters.retire(1, keep_proofs=True)
    file = tmp_path / "keys" / "card-masters.json"
    before = file.read_bytes()
    with pytest.raises(OperatorError, match="next generation is 4"):
        masters.add_generation(2)
    for version, told in ((1, "is retired"), (2, "is current"), (9, "no generation 9")):
        with pytest.raises(OperatorError, match=told):
            masters.activate(version)
    with pytest.raises(OperatorError, match="what new cards get"):
        masters.retire(2, keep_proofs=False)
    with pytest.raises(OperatorError, match="retired already"):
        masters.retire(1, keep_proofs=True)
    assert file.read_bytes() == before


def test_a_roll_never_goes_back(masters: MasterFile) -> None:
    masters.add_generation(2)
    masters.activate(2)
    with pytest.raises(OperatorError, match="is older"):
        masters.activate(1)


def test_a_number_is_given_once_even_if_its_generation_never_served(masters: MasterFile) -> None:
    masters.add_generation(2)
    masters.retire(2, keep_proofs=False)
    with pytest.raises(OperatorError, match="next generation is 3"):
        masters.add_generation(2)
    masters.add_generation(3)
    assert states(masters) == [(1, CURRENT), (3, STAGED)]


def test_the_numbers_of_a_key_version_end(masters: MasterFile) -> None:
    full = Roster(current=255, last=255, held=(255,))
    with pytest.raises(OperatorError, match="All 255"):
        full.with_new(256)


def test_a_file_of_one_generation_is_read_and_then_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    keys = {name.value: bytes([number]) * 16 for number, name in enumerate(KeyPurpose)}
    document = {"format": 1, "version": 1, "system_id": b"MANCARD".hex()}
    file = folder / "card-masters.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(document | {name: key.hex() for name, key in keys.items()}))
    masters = MasterFile(folder)
    assert masters.generations == (CardMasters(**keys, system_id=b"MANCARD", version=1),)
    assert json.loads(file.read_text())["format"] == 1, "reading changes nothing"
    masters.add_generation(2)
    written = json.loads(file.read_text())
    assert (written["format"], written["current"], written["held"]) == (2, 1, [1, 2])
    assert MasterFile(folder).generations[0] == CardMasters(**keys, system_id=b"MANCARD", version=1)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_contradicts_itself_is_refused(masters: MasterFile, tmp_path: Path) -> None:
    masters.add_generation(2)
    file = tmp_path / "keys" / "card-masters.json"
    good = json.loads(file.read_text())
    short = json.loads(file.read_text())
    short["masters"]["2"]["k1"] = "00"
    lacking = json.loads(file.read_text())
    del lacking["masters"]["2"]["tm"]
    spoilt = [good | {"current": 3}, good | {"held": [2, 1]}, good | {"retired": [2]}, good | {"last": 1}]
    for document in (*spoilt, short, lacking, good | {"masters": []}, good | {"system_id": "00"}):
        file.write_text(json.dumps(document))
        with pytest.raises(OperatorError, match="does not hold its key"):
            MasterFile(tmp_path / "keys")


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_power_cut_leaves_the_old_file_or_the_new_one(
    masters: MasterFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = tmp_path / "keys"
    before = (folder / "card-masters.json").read_bytes()

    def cut(*_: object) -> None:
        raise OSError(5, "power is gone")

    if step == "rename":
        monkeypatch.setattr(Path, "replace", cut)
    else:
        monkeypatch.setattr(os, "fsync" if step == "fsync" else "fdopen", cut)
    with pytest.raises(OperatorError):
        masters.add_generation(2)
    monkeypatch.undo()
    assert (folder / "card-masters.json").read_bytes() == before
    assert states(MasterFile(folder)) == [(1, CURRENT)]
    masters.add_generation(2)
    assert [path.name for path in folder.iterdir()] == ["card-masters.json"], "no draft with keys is left"


def test_a_running_ledger_sees_what_another_process_changed(tmp_path: Path) -> None:
    running = LedgerKeys.open(tmp_path / "k").cards
    other = LedgerKeys.open(tmp_path / "k").cards
    other.add_generation(2)
    other.activate(2)
    # A card made by the other process a moment ago: its proof can be checked here without a restart.
    assert (
        running.key(KeyPurpose.TRANSACTION_MAC, 2, UID).reveal()
        == other.key(KeyPurpose.TRANSACTION_MAC, 2, UID).reveal()
    )
    assert running.current == 2
    assert running.versions == (1, 2)


def test_a_kit_carries_every_generation_held_and_nothing_but_k1(masters: MasterFile) -> None:
    masters.add_generation(2)
    carried = masters.validator_keys()
    assert dict(carried.k1_masters) == {one.version: one.k1 for one in masters.generations}
    for purpose in set(KeyPurpose) - {KeyPurpose.VALIDATOR}:
        with pytest.raises(KeyNotHeld):
            carried.key(purpose, 1, UID)
