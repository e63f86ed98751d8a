"""The kit's two documents: what the ledger writes is what the validator reads, and no more goes along."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.desfire.keys import ValidatorKeys
from fare.core.kit import CARD_KEYS_FILE, KIT_FILE, Kit, MalformedKit, decode

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


@pytest.mark.parametrize("device", [0, 2**24])
def test_a_device_that_no_record_could_name_is_refused(device: int) -> None:
    kit, card_keys = documents()
    with pytest.raises(MalformedKit, match="out of range"):
        decode(json.dumps(json.loads(kit) | {"device": device}).encode(), card_keys)


@pytest.mark.parametrize("missing", ["k1_masters", "system_id", "aid"])
def test_a_fault_names_its_file_and_its_field(missing: str) -> None:
    kit, card_keys = documents()
    rest = {name: value for name, value in json.loads(card_keys).items() if name != missing}
    with pytest.raises(MalformedKit, match=f"it has no '{missing}'") as raised:
        decode(kit, json.dumps(rest).encode())
    assert raised.value.file == CARD_KEYS_FILE
