"""Keys in a real PKCS#11 token: the same card keys and signatures as from files, and no master outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from pkcs11 import Attribute, ObjectClass
from pkcs11 import exceptions as pkcs11_faults

from fare.core.desfire import crypto
from fare.core.desfire.keys import CardKeys, KeyNotHeld, KeyPurpose, diversification_input
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError
from fare.keys import GenerationState, LedgerKeys, MasterFile, move_to_token
from fare.keys.token import open_token
from fare.keys.token_masters import TokenMasters
from fare.settings import KeySettings
from tests.keys.softhsm import PIN, SoftToken

UID = bytes.fromhex("04112233445566")
OTHER_UID = bytes.fromhex("04112233445567")


def objects(token: SoftToken) -> list[Any]:
    """All that a thief with the PIN could look at."""
    session = pkcs11.lib(str(token.module)).get_token(token_label=token.label).open()
    return list(session.get_objects())


def test_a_ledger_is_founded_in_an_empty_token(soft_token: SoftToken, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    keys = LedgerKeys.open(folder, soft_token.settings)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card-generations.json", "channels.json", "ledger-epoch",
    ]  # fmt: skip
    signers = (keys.card_issuer, keys.channel, keys.acknowledgement, keys.bundle)
    assert len({signer.public_bytes for signer in signers}) == 4
    for signer in signers:
        signer.public.verify(signer.private.sign(b"words"), b"words")
    again = LedgerKeys.open(folder, soft_token.settings)
    assert again.bundle.public_bytes == keys.bundle.public_bytes
    assert CardKeys.for_card(again.cards, UID) == CardKeys.for_card(keys.cards, UID)
    assert CardKeys.for_card(keys.cards, UID) != CardKeys.for_card(keys.cards, OTHER_UID)


def test_nothing_in_the_token_gives_a_master_away(soft_token: SoftToken, tmp_path: Path) -> None:
    LedgerKeys.open(tmp_path / "keys", soft_token.settings)
    found = objects(soft_token)
    secrets = [
        one for one in found if one[Attribute.CLASS] in {ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY}
    ]
    assert len(secrets) == len(KeyPurpose) + 5
    for one in secrets:
        assert one[Attribute.SENSITIVE]
        assert one[Attribute.EXTRACTABLE] == (one.label == "mancard-k1-v1")
        with pytest.raises(pkcs11_faults.AttributeSensitive):
            _ = one[Attribute.VALUE]
        if one[Attribute.CLASS] is ObjectClass.SECRET_KEY:
            # A master that enciphered blocks would diversify for anybody.
            assert not any(one[use] for use in (Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.DERIVE))


def test_an_imported_ledger_has_the_same_keys_as_before(soft_token: SoftToken, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    files = LedgerKeys.open(folder)
    assert isinstance(files.cards, MasterFile)
    files.cards.add_generation(2)
    files.cards.activate(2)
    files.cards.retire(1, keep_proofs=True)
    before = CardKeys.for_card(files.cards, UID)
    proofs = files.cards.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal()
    with pytest.raises(OperatorError, match="mancard keys import"):
        LedgerKeys.open(folder, soft_token.settings)
    aside = move_to_token(folder, soft_token.settings)
    assert sorted(path.name for path in aside) == [
        "acknowledgement.pem.imported", "bundle.pem.imported", "card-issuer.pem.imported",
        "card-masters.json.imported", "channel-5.pem.imported", "channel.pem.imported",
    ]  # fmt: skip
    moved = LedgerKeys.open(folder, soft_token.settings)
    assert CardKeys.for_card(moved.cards, UID) == before
    assert moved.cards.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal() == proofs
    assert (moved.cards.versions, moved.cards.current) == ((2,), 2)
    assert moved.bundle.public_bytes == files.bundle.public_bytes
    assert moved.channels.trusted() == files.channels.trusted()
    assert moved.ledger_epoch == files.ledger_epoch, "a move is no restore"
    with pytest.raises(OperatorError, match="MANCARD_KEYS=pkcs11"):
        LedgerKeys.open(folder)
    with pytest.raises(OperatorError, match="nothing is left to import"):
        move_to_token(folder, soft_token.settings)


def test_an_import_that_broke_off_goes_on(
    soft_token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fare.keys.token import Token

    folder = tmp_path / "keys"
    files = LedgerKeys.open(folder)
    before = CardKeys.for_card(files.cards, UID)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Token, "import_signer", broken)
    with pytest.raises(KeyboardInterrupt):
        move_to_token(folder, soft_token.settings)
    monkeypatch.undo()
    assert CardKeys.for_card(LedgerKeys.open(folder).cards, UID) == before, "the files are still what counts"
    move_to_token(folder, soft_token.settings)
    assert CardKeys.for_card(LedgerKeys.open(folder, soft_token.settings).cards, UID) == before


def test_another_ledgers_token_is_refused(soft_token: SoftToken, tmp_path: Path) -> None:
    LedgerKeys.open(tmp_path / "one", soft_token.settings)
    with pytest.raises(OperatorError, match="another ledger"):
        LedgerKeys.open(tmp_path / "two", soft_token.settings)
    LedgerKeys.open(tmp_path / "three")
    with pytest.raises(OperatorError, match="another ledger"):
        move_to_token(tmp_path / "three", soft_token.settings)
    assert LedgerKeys.open(tmp_path / "three").cards.current == 1


def test_generations_are_drawn_and_destroyed_inside(soft_token: SoftToken, tmp_path: Path) -> None:
    masters = LedgerKeys.open(tmp_path / "keys", soft_token.settings).cards
    running = LedgerKeys.open(tmp_path / "keys", soft_token.settings).cards
    masters.add_generation(2)
    masters.activate(2)
    assert running.current == 2
    assert CardKeys.for_card(running, UID) != CardKeys.for_card(running, UID, 1)
    proofs = running.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal()
    masters.retire(1, keep_proofs=True)
    assert running.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal() == proofs
    with pytest.raises(KeyNotHeld):
        running.key(KeyPurpose.VALIDATOR, 1, UID)
    assert open_token(soft_token.settings).labels() >= {"tm-v1", "k1-v2"}
    assert "k1-v1" not in open_token(soft_token.settings).labels()
    assert [one.state for one in masters.listed()] == [GenerationState.RETIRED, GenerationState.CURRENT]
    masters.retire(1, keep_proofs=False)
    assert "tm-v1" not in open_token(soft_token.settings).labels()


def test_k1_leaves_wrapped_for_one_validator_and_not_in_the_clear(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    keys = LedgerKeys.open(tmp_path / "keys", soft_token.settings)
    with pytest.raises(OperatorError, match="sealed in a token"):
        _ = keys.validator_keys
    validator = rsa.generate_private_key(65537, 2048)
    system_id, wrapped = keys.cards.wrapped_validator_keys(validator.public_key())
    oaep = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)
    k1 = validator.decrypt(wrapped[1], oaep)
    assert (
        crypto.diversify(k1, diversification_input(UID, AID, system_id))
        == keys.cards.key(KeyPurpose.VALIDATOR, 1, UID).reveal()
    )


def test_what_is_wrong_with_a_token_is_one_sentence_without_its_pin(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    LedgerKeys.open(tmp_path / "keys", soft_token.settings)
    listed = tmp_path / "keys" / "card-generations.json"
    good = listed.read_text()

    def told(match: str, **changed: Any) -> None:
        settings = soft_token.settings.model_copy(update=changed)
        with pytest.raises(OperatorError, match=match) as raised:
            LedgerKeys.open(tmp_path / "keys", settings)
        assert PIN not in str(raised.value) + repr(settings)

    told("no token 'elsewhere'", token="elsewhere")
    told("cannot be loaded", module=tmp_path / "nothing.so")
    told("cannot be read", pin_file=tmp_path / "nothing")
    open_pin = tmp_path / "pin"
    open_pin.write_text(PIN)
    open_pin.chmod(0o644)
    told("open to other accounts", pin_file=open_pin)
    listed.write_text(json.dumps(json.loads(good) | {"token": "token-of-before"}))
    told("in the token token-of-before")
    listed.write_text(json.dumps(json.loads(good) | {"held": [1, 2], "last": 2}))
    told("lacks mancard-k0-v2")


def test_a_session_that_the_token_dropped_is_opened_again(soft_token: SoftToken, tmp_path: Path) -> None:
    keys = LedgerKeys.open(tmp_path / "keys", soft_token.settings)
    before = CardKeys.for_card(keys.cards, UID)
    pkcs11.lib(str(soft_token.module)).reinitialize()  # as after an unplugged and replugged device
    assert CardKeys.for_card(keys.cards, UID) == before
    keys.bundle.public.verify(keys.bundle.private.sign(b"words"), b"words")


def test_settings_without_a_token_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANCARD_KEYS", "pkcs11")
    with pytest.raises(OperatorError, match="MANCARD_KEYS_MODULE"):
        KeySettings()
    monkeypatch.setenv("MANCARD_KEYS", "drawer")
    with pytest.raises(OperatorError, match="The setting MANCARD_KEYS cannot be used"):
        KeySettings()


def test_the_environment_chooses_the_token(
    soft_token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in soft_token.environment.items():
        monkeypatch.setenv(name, value)
    assert isinstance(LedgerKeys.open(tmp_path / "keys").cards, TokenMasters)
