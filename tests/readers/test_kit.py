"""Provisioning: private files only, and a sentence for each thing that may be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fare.core.desfire.keys import ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError
from readers.kit import device_key, read_kit, require_private_line
from tests.readers.bus import SYSTEM_ID, Issuer


def write_kit(folder: Path, issuer: Issuer, ledger_url: str = "http://127.0.0.1:9") -> Path:
    folder.mkdir(exist_ok=True)
    public = issuer.bundle_key.public_key().public_bytes_raw().hex()
    kit = {
        "format": 1,
        "device": 7,
        "ledger_url": ledger_url,
        "bundle_keys": {"1": public},
        "claim_code": "c" * 32,
    }
    keys = {
        "format": 2,
        "k1_masters": {"1": issuer.masters.k1.hex()},
        "system_id": SYSTEM_ID.hex(),
        "aid": AID.hex(),
    }
    for name, document in (("kit.json", kit), ("card-keys.json", keys)):
        (folder / name).write_text(json.dumps(document))
        (folder / name).chmod(0o600)
    return folder


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_kit_is_read_and_its_secrets_are_not_printed(tmp_path: Path, issuer: Issuer) -> None:
    kit = read_kit(write_kit(tmp_path / "kit", issuer))
    assert (kit.device, kit.ledger_url, kit.claim_code) == (7, "http://127.0.0.1:9", "c" * 32)
    assert kit.card_keys == ValidatorKeys({1: issuer.masters.k1}, SYSTEM_ID)
    printed = repr(kit)
    assert "cccc" not in printed
    assert repr(issuer.masters.k1)[2:-1] not in printed


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (lambda kit: (kit / "kit.json").unlink(), "There is no kit.json"),
    (lambda kit: (kit / "card-keys.json").unlink(), "There is no card-keys.json"),
    (lambda kit: (kit / "kit.json").chmod(0o640), "can be read by others"),
    (lambda kit: (kit / "card-keys.json").chmod(0o604), "can be read by others"),
    (lambda kit: (kit / "kit.json").write_text("{"), "not JSON"),
    (lambda kit: (kit / "kit.json").write_text("[]"), "not an object"),
    (lambda kit: change(kit / "kit.json", format=2), "format"),
    (lambda kit: change(kit / "kit.json", device=0), "out of range"),
    (lambda kit: change(kit / "kit.json", device="x"), "kit.json"),
    (lambda kit: change(kit / "kit.json", bundle_keys={}), "out of range"),
    (lambda kit: change(kit / "kit.json", bundle_keys={"1": "zz"}), "kit.json"),
    (lambda kit: change(kit / "kit.json", ledger_url="ftp://x"), "out of range"),
    (lambda kit: change(kit / "card-keys.json", k1_masters={"1": "00"}), "card-keys.json"),
    (lambda kit: change(kit / "card-keys.json", aid="000000"), "another card application"),
    (lambda kit: change(kit / "card-keys.json", format=1), "format is 1 .* fleet card-keys DEVICE"),
    (lambda kit: change(kit / "kit.json", format=0), "format is 0 .* fleet enrol DEVICE"),
]


@pytest.mark.parametrize(("spoil", "told"), FAULTS)
def test_a_spoilt_kit_is_one_sentence(
    tmp_path: Path, issuer: Issuer, spoil: Callable[[Path], object], told: str
) -> None:
    kit = write_kit(tmp_path / "kit", issuer)
    spoil(kit)
    with pytest.raises(OperatorError, match=told) as raised:
        read_kit(kit)
    assert "\n" not in str(raised.value)
    assert issuer.masters.k1.hex() not in str(raised.value)


def test_the_device_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = device_key(tmp_path / "state")
    assert device_key(tmp_path / "state").private_bytes_raw() == first.private_bytes_raw()
    path = tmp_path / "state" / "device.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="can be read by others"):
        device_key(tmp_path / "state")
    path.chmod(0o600)
    path.write_text("damaged")
    with pytest.raises(OperatorError, match="damaged"):
        device_key(tmp_path / "state")


def test_plain_http_is_for_this_machine_alone(tmp_path: Path, issuer: Issuer) -> None:
    for good in (
        "https://ledger.example",
        "https://ledger.example:8443/city",
        "http://127.0.0.1:8000",
        "http://127.4.5.6",
        "http://localhost:8000",
        "http://[::1]:8000",
    ):
        assert read_kit(write_kit(tmp_path / "kit", issuer, good)).ledger_url == good
    for bad in (
        "http://ledger.example",
        "http://10.0.0.1:8000",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://127.0.0.1@ledger.example",
        "http://user:hunter-two@ledger.example",
        "HTTP://ledger.example",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "https://",
        "https://[::1",
        "ledger",
    ):
        with pytest.raises(OperatorError, match="give https://") as refused:
            require_private_line(bad)
        assert "hunter-two" not in str(refused.value)
        with pytest.raises(OperatorError) as refused:
            read_kit(write_kit(tmp_path / "kit", issuer, bad))
        assert "hunter-two" not in str(refused.value)
