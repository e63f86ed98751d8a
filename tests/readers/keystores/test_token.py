"""A validator's keys in a real PKCS#11 token: it opens cards with k1, and gives nothing else to anybody."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pkcs11 import Attribute, ObjectClass

from fare.cli import main
from fare.core.desfire.application import open_card, run
from fare.core.desfire.keys import KeyNotHeld, KeyPurpose, KeySealed
from fare.core.errors import OperatorError
from fare.core.kit import TokenKeys
from fare.fleet import write_card_keys, write_kit
from fare.keys import LedgerKeys
from hardware.emulator.reader import InProcessReader
from readers.kit import read_kit
from tests.keys.softhsm import PIN, SoftToken
from tests.readers.bus import Issuer


@pytest.fixture
def ledger(soft_tokens: Iterator[SoftToken], tmp_path: Path) -> LedgerKeys:
    """A ledger whose masters are in a token of their own."""
    return LedgerKeys.open(tmp_path / "keys", next(soft_tokens).settings)


def wrapped(ledger: LedgerKeys, token: SoftToken, tmp_path: Path) -> TokenKeys:
    """What `mancard fleet card-keys --token-key` makes, after `mancard validator-token new`."""
    pem = tmp_path / "validator.pem"
    with pytest.raises(SystemExit) as left:
        main(["validator-token", "new", "--module", str(token.module), "--token", token.label,
              "--pin-file", str(token.pin_file), "--out", str(pem)])  # fmt: skip
    assert left.value.code == 0
    public = load_pem_public_key(pem.read_bytes())
    system_id, masters = ledger.cards.wrapped_validator_keys(public)  # type: ignore[arg-type]
    return TokenKeys(str(token.module), token.label, masters, system_id)


def a_kit(folder: Path, ledger: LedgerKeys, keys: TokenKeys) -> Path:
    write_kit(
        folder,
        device_id=7,
        ledger_url="http://127.0.0.1:9",
        bundle_keys={ledger.bundle.kid: ledger.bundle.public_bytes},
        claim_code="c" * 32,
        card_keys=keys,
    )
    pin = folder / "token-pin"
    pin.touch(mode=0o600)
    pin.write_text(PIN)
    return folder


def test_a_validator_opens_with_its_token_what_the_ledgers_token_made(
    ledger: LedgerKeys, soft_token: SoftToken, tmp_path: Path
) -> None:
    uid = b"\x04" + bytes(6)
    kit = a_kit(tmp_path / "kit", ledger, wrapped(ledger, soft_token, tmp_path))
    store = read_kit(kit).card_keys
    assert store.versions == (1,)
    expected = ledger.cards.key(KeyPurpose.VALIDATOR, 1, uid).reveal()
    assert store.key(KeyPurpose.VALIDATOR, 1, uid).reveal() == expected
    # A day later: the same token, and a second generation beside the first.
    ledger.cards.add_generation(2)
    write_card_keys(kit, wrapped(ledger, soft_token, tmp_path))
    later = read_kit(kit).card_keys
    assert later.versions == (1, 2)
    for version in (1, 2):
        assert (
            later.key(KeyPurpose.VALIDATOR, version, uid).reveal()
            == ledger.cards.key(KeyPurpose.VALIDATOR, version, uid).reveal()
        )
    # And the first one retired: its master leaves the token with the next card keys.
    ledger.cards.activate(2)
    ledger.cards.retire(1, keep_proofs=True)
    write_card_keys(kit, wrapped(ledger, soft_token, tmp_path))
    last = read_kit(kit).card_keys
    with pytest.raises(KeyNotHeld):
        last.key(KeyPurpose.VALIDATOR, 1, uid)
    assert masters_in(soft_token) == ["mancard-k1-v2"]


def test_a_tap_is_opened_through_the_token(soft_token: SoftToken, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA1

    from readers.keystores.token import TokenKeyStore, transport_key
    from tests.readers.bus import SYSTEM_ID

    issuer = Issuer()
    issuer.make_card(tmp_path, "one", 1001)
    public = transport_key(str(soft_token.module), soft_token.label, PIN)
    master = public.encrypt(issuer.masters.k1, padding.OAEP(padding.MGF1(SHA1()), SHA1(), None))
    store = TokenKeyStore(TokenKeys(str(soft_token.module), soft_token.label, {1: master}, SYSTEM_ID), PIN)
    reader = InProcessReader(tmp_path)
    reader.place("one")
    link = reader.wait_for_card(1)
    assert link is not None
    opened = run(open_card(store, lambda: secrets.token_bytes(16)), link.transmit)
    assert opened.uid == issuer.uids[1001]
    pkcs11.lib(str(soft_token.module)).reinitialize()  # as after a replugged token
    assert store.key(KeyPurpose.VALIDATOR, 1, opened.uid).reveal()


def test_the_token_opens_k1_and_holds_nothing_else(
    ledger: LedgerKeys, soft_token: SoftToken, tmp_path: Path
) -> None:
    kit = a_kit(tmp_path / "kit", ledger, wrapped(ledger, soft_token, tmp_path))
    store = read_kit(kit).card_keys
    for purpose in set(KeyPurpose) - {KeyPurpose.VALIDATOR}:
        with pytest.raises(KeyNotHeld):
            store.key(purpose, 1, bytes(7))
    with pytest.raises(KeyNotHeld, match="bring the newer card keys"):
        store.key(KeyPurpose.VALIDATOR, 2, bytes(7))
    assert masters_in(soft_token) == ["mancard-k1-v1"]
    session = pkcs11.lib(str(soft_token.module)).get_token(token_label=soft_token.label).open()
    (master,) = session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
    assert master[Attribute.SENSITIVE]
    assert not any(
        master[use] for use in (Attribute.EXTRACTABLE, Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.DERIVE)
    )
    (transport,) = session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
    assert not any(transport[use] for use in (Attribute.EXTRACTABLE, Attribute.DECRYPT, Attribute.SIGN))


def test_card_keys_of_another_validator_are_refused(
    ledger: LedgerKeys, soft_tokens: Iterator[SoftToken], soft_token: SoftToken, tmp_path: Path
) -> None:
    stolen = wrapped(ledger, soft_token, tmp_path)
    other = next(soft_tokens)
    wrapped(ledger, other, tmp_path)
    kit = a_kit(
        tmp_path / "kit", ledger, TokenKeys(str(other.module), other.label, stolen.wrapped, b"MANCARD")
    )
    with pytest.raises(OperatorError, match=r"not wrapped for the token.*--token-key"):
        read_kit(kit)


def test_a_kit_for_a_token_needs_its_pin(ledger: LedgerKeys, soft_token: SoftToken, tmp_path: Path) -> None:
    keys = wrapped(ledger, soft_token, tmp_path)
    with pytest.raises(KeySealed):
        keys.key(KeyPurpose.VALIDATOR, 1, bytes(7))
    kit = a_kit(tmp_path / "kit", ledger, keys)
    (kit / "token-pin").unlink()
    with pytest.raises(OperatorError, match=r"PIN is not in .*token-pin"):
        read_kit(kit)
    (kit / "token-pin").write_text(PIN)
    (kit / "token-pin").chmod(0o644)
    with pytest.raises(OperatorError, match="can be read by others"):
        read_kit(kit)


def masters_in(token: SoftToken) -> list[str]:
    session = pkcs11.lib(str(token.module)).get_token(token_label=token.label).open()
    found: list[Any] = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}))
    return sorted(str(key.label) for key in found)
