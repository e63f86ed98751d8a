"""The kit's two documents: what the ledger writes is what the validator reads, and no more goes along."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.desfire.keys import KeyPurpose, KeySealed, ValidatorKeys
from fare.core.kit import CARD_KEYS_FILE, KIT_FILE, Kit, MalformedKit, SamKeys, TokenKeys, decode

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
KIT = Kit(7, "https://ledger.example", {4: KEY}, "c" * 32, ValidatorKeys({3: bytes(range(16))}, b"MANCARD"))


def documents() -> tuple[bytes, bytes]:
    encoded = KIT.encode()
    return encoded[KIT_FILE].encode(), encoded[CARD_KEYS_FILE].encode()


def test_what_is_written_is_read() -> None:
    assert decode(*documents()) == KIT


def test_its_documents_hold_these_fields() -> None:
    kit, card_keys = (json.loads(document) for document in documents())
    assert kit == {
        "format": 1,
        "device": 7,
        "ledger_url": "https://ledger.example",
        "bundle_keys": {"4": KEY.public_bytes_raw().hex()},
        "claim_code": "c" * 32,
    }
    assert card_keys == {
        "format": 2,
        "k1_masters": {"3": "000102030405060708090a0b0c0d0e0f"},
        "system_id": b"MANCARD".hex(),
        "aid": "f54d43",
    }


@pytest.mark.parametrize(("device", "told"), [(0, "out of range"), (2**24, "device is not an integer in 0")])
def test_a_device_that_no_record_could_name_is_refused(device: int, told: str) -> None:
    kit, card_keys = documents()
    with pytest.raises(MalformedKit, match=told):
        decode(json.dumps(json.loads(kit) | {"device": device}).encode(), card_keys)


@pytest.mark.parametrize("missing", ["k1_masters", "system_id", "aid"])
def test_a_fault_names_its_file_and_its_field(missing: str) -> None:
    kit, card_keys = documents()
    rest = {name: value for name, value in json.loads(card_keys).items() if name != missing}
    with pytest.raises(MalformedKit, match=f"it has no '{missing}'") as raised:
        decode(kit, json.dumps(rest).encode())
    assert raised.value.file == CARD_KEYS_FILE


TOKEN = TokenKeys("/usr/lib/token.so", "validator-7", {1: b"\x11" * 256, 2: b"\x22" * 256}, b"MANCARD")
SAM = SamKeys("SAM slot 0", {1: 20, 2: 21}, b"MANCARD")


@pytest.mark.parametrize("keys", [TOKEN, SAM], ids=["token", "sam"])
def test_a_kit_may_say_where_the_card_keys_are(keys: TokenKeys | SamKeys) -> None:
    kit = Kit(7, "https://ledger.example", {4: KEY}, "c" * 32, keys)
    encoded = kit.encode()
    document = json.loads(encoded[CARD_KEYS_FILE])
    assert (document["format"], document["aid"]) == (2, "f54d43")
    assert "k1_masters" not in document
    assert decode(encoded[KIT_FILE].encode(), encoded[CARD_KEYS_FILE].encode()) == kit
    assert (tuple(keys.versions), keys.current) == ((1, 2), 2)
    with pytest.raises(KeySealed):
        keys.key(KeyPurpose.VALIDATOR, 1, bytes(7))
    assert (b"\x11" * 256).hex() not in repr(kit)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 1}, "its format is 1 and this version reads 2"),
        ({"store": "drawer"}, "a kind that this version does not know"),
        ({"store": "pkcs11"}, "it has no 'k1_wrapped'"),
        ({"store": "sam", "reader": "x", "k1_entries": {}}, "names no generation"),
        ({"store": "sam", "reader": "x", "k1_entries": {"1": "y"}}, "an entry is not an integer"),
    ],
)
def test_card_keys_of_another_shape_are_refused(changed: dict[str, object], told: str) -> None:
    kit, card_keys = documents()
    with pytest.raises(MalformedKit, match=told) as raised:
        decode(kit, json.dumps(json.loads(card_keys) | changed).encode())
    assert raised.value.file == CARD_KEYS_FILE
