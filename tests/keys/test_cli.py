"""From files into a token, and a validator's kit out of it, with the commands a person types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fare.core.desfire.keys import CardKeys, KeyPurpose
from fare.keys import LedgerKeys
from readers.kit import read_kit
from tests.keys.softhsm import PIN, SoftToken
from tests.staff.commands import Commands, commands

__all__ = ["commands"]

UID = bytes.fromhex("04112233445566")


def test_a_ledger_moves_into_a_token_and_equips_a_validator(
    commands: Commands, soft_tokens: Iterator[SoftToken], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = commands.state / "keys"
    before = CardKeys.for_card(LedgerKeys.open(folder).cards, UID)
    status, _, err = commands("keys", "import")
    assert (status, "MANCARD_KEYS=pkcs11" in err) == (2, True)
    for name, value in next(soft_tokens).environment.items():
        monkeypatch.setenv(name, value)
    status, _, err = commands("keys", "list")
    assert (status, "mancard keys import" in err) == (2, True)
    status, out, err = commands("keys", "import")
    assert (status, err) == (0, "")
    assert out.count("shred -u") == 6
    assert PIN not in out
    keys = LedgerKeys.open(folder)
    assert CardKeys.for_card(keys.cards, UID) == before
    assert "1  current" in commands("keys", "list")[1]

    kit = tmp_path / "kit"
    status, _, err = commands("fleet", "enrol", "7", "--out", str(kit))
    assert (status, "--token-key" in err) == (2, True)
    validator = next(soft_tokens)
    named = ("--module", str(validator.module), "--token", validator.label)
    pem = tmp_path / "validator.pem"
    made = commands(
        "validator-token", "new", *named, "--pin-file", str(validator.pin_file), "--out", str(pem)
    )
    assert made[0] == 0
    status, _, err = commands("fleet", "enrol", "7", "--out", str(kit), "--token-key", str(pem), *named)
    assert (status, err) == (0, "")
    assert "k1_masters" not in json.loads((kit / "card-keys.json").read_text())
    (kit / "token-pin").touch(mode=0o600)
    (kit / "token-pin").write_text(PIN)
    assert read_kit(kit).card_keys.key(KeyPurpose.VALIDATOR, 1, UID).reveal() == before.k1
    short = rsa.generate_private_key(65537, 1024).public_key()
    pem.write_bytes(short.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    status, _, err = commands("fleet", "card-keys", "7", "--out", str(kit), "--token-key", str(pem), *named)
    assert (status, "1024 bits, which is too short for a master" in err) == (2, True)
    pem.write_text("no key")
    status, _, err = commands("fleet", "card-keys", "7", "--out", str(kit), "--token-key", str(pem), *named)
    assert (status, "holds no RSA public key" in err) == (2, True)
