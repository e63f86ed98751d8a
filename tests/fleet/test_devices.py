from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from fare.core.desfire.keys import ValidatorKeys
from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.fleet import ClaimRefusal, claim, create_device, device_public_key, devices, revoke, write_kit

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()


@pytest.fixture
def code(engine: Engine) -> str:
    with write(engine) as session:
        return create_device(session, 7, NOW)


def attempt(
    engine: Engine, code: str, key: bytes = KEY, device: int = 7, now: datetime = NOW
) -> ClaimRefusal | None:
    with write(engine) as session:
        return claim(session, device, code, key, now)


def test_a_device_enrols_once_with_its_code(engine: Engine, code: str) -> None:
    with read(engine) as session:
        assert device_public_key(session, 7) is None
    assert attempt(engine, code) is None
    with read(engine) as session:
        enrolled = device_public_key(session, 7)
    assert enrolled is not None
    assert (enrolled.public_key, enrolled.revoked_at) == (KEY, None)
    assert attempt(engine, code, OTHER) is ClaimRefusal.ALREADY_CLAIMED


def test_a_claim_whose_answer_was_lost_may_be_repeated_with_the_same_key(engine: Engine, code: str) -> None:
    assert attempt(engine, code) is None
    assert attempt(engine, code, now=NOW + timedelta(days=2)) is None


def test_wrong_codes_and_unknown_devices_get_the_same_answer(engine: Engine, code: str) -> None:
    assert attempt(engine, "0" * 32) is ClaimRefusal.WRONG_CODE
    assert attempt(engine, "") is ClaimRefusal.WRONG_CODE
    assert attempt(engine, code, device=8) is ClaimRefusal.WRONG_CODE


def test_a_code_ends_after_a_day(engine: Engine, code: str) -> None:
    assert attempt(engine, code, now=NOW + timedelta(hours=24)) is ClaimRefusal.CODE_EXPIRED
    assert attempt(engine, code, now=NOW + timedelta(hours=23, minutes=59)) is None


def test_bytes_that_are_no_key_are_refused(engine: Engine, code: str) -> None:
    assert attempt(engine, code, b"short") is ClaimRefusal.BAD_KEY
    assert attempt(engine, code) is None


def test_a_new_code_ends_the_older_one(engine: Engine, code: str) -> None:
    with write(engine) as session:
        newer = create_device(session, 7, NOW)
    assert attempt(engine, code) is ClaimRefusal.WRONG_CODE
    assert attempt(engine, newer) is None


def test_an_enrolled_device_gets_no_new_code(engine: Engine, code: str) -> None:
    attempt(engine, code)
    with pytest.raises(OperatorError, match="has enrolled before"), write(engine) as session:
        create_device(session, 7, NOW)


def test_a_revoked_device_keeps_its_key_as_evidence(engine: Engine, code: str) -> None:
    attempt(engine, code)
    with write(engine) as session:
        revoke(session, 7, NOW)
        revoke(session, 7, NOW + timedelta(days=1))
    with read(engine) as session:
        key = device_public_key(session, 7)
        assert key is not None
        assert (key.public_key, key.revoked_at) == (KEY, NOW)
        assert [state.revoked_at for state in devices(session)] == [NOW]
    assert attempt(engine, code) is ClaimRefusal.WRONG_CODE
    with pytest.raises(OperatorError, match="no device 9"), write(engine) as session:
        revoke(session, 9, NOW)


def test_a_kit_is_for_one_account_only(tmp_path: Path) -> None:
    card_keys = ValidatorKeys({1: bytes([3]) * 16, 2: bytes([4]) * 16}, b"mancard")
    folder = tmp_path / "kit"
    for claim_code in ("aa", "bb"):
        write_kit(
            folder,
            device_id=7,
            ledger_url="http://127.0.0.1:8000",
            bundle_keys={1: KEY},
            claim_code=claim_code,
            card_keys=card_keys,
        )
    kit = json.loads((folder / "kit.json").read_text())
    assert kit == {
        "format": 1,
        "device": 7,
        "ledger_url": "http://127.0.0.1:8000",
        "bundle_keys": {"1": KEY.hex()},
        "claim_code": "bb",
    }
    assert json.loads((folder / "card-keys.json").read_text()) == {
        "format": 2,
        "k1_masters": {"1": "03" * 16, "2": "04" * 16},
        "system_id": b"mancard".hex(),
        "aid": "f54d43",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "kit").write_text("in the way")
    with pytest.raises(OperatorError, match="cannot be written"):
        write_kit(
            tmp_path / "kit",
            device_id=7,
            ledger_url="x",
            bundle_keys={},
            claim_code="aa",
            card_keys=ValidatorKeys({1: bytes(16)}, b"mancard"),
        )
