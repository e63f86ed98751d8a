"""The provisioning kit of a validator: two JSON documents that the ledger writes and the validator reads.

    kit.json        {"format": 1, "device": 7, "ledger_url": "http://…", "bundle_keys": {"1": hex of Ed25519},
                     "claim_code": "…"}
    card-keys.json  {"format": 2, "k1_masters": {"1": hex}, "system_id": hex, "aid": hex}

It opens no file. `k1_masters` are k1's masters by key version, two while cards move from one to the next;
they open cards for a debit and neither create value nor forge a proof. In the field they live in a SAM: this
document is the development form of that key store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.desfire.keys import ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.errors import MalformedDocument
from fare.core.identifiers import MAX_DEVICE_ID

FORMAT: Final = 1
CARD_KEYS_FORMAT: Final = 2
KIT_FILE: Final = "kit.json"
CARD_KEYS_FILE: Final = "card-keys.json"


class MalformedKit(MalformedDocument):
    """One of the two documents cannot be used: `file` names it, the message says why."""

    def __init__(self, file: str, why: object) -> None:
        super().__init__(f"it has no {why}" if isinstance(why, KeyError) else str(why))
        self.file = file


@dataclass(frozen=True, slots=True)
class Kit:
    """A device's number, its ledger, the bundle keys it trusts by kid, its claim code and its card key."""

    device: int
    ledger_url: str
    bundle_keys: Mapping[int, Ed25519PublicKey]
    claim_code: str = field(repr=False)
    card_keys: ValidatorKeys

    def encode(self) -> dict[str, str]:
        """Both documents, by the names of their files."""
        kit = {
            "format": FORMAT,
            "device": self.device,
            "ledger_url": self.ledger_url,
            "bundle_keys": {str(kid): key.public_bytes_raw().hex() for kid, key in self.bundle_keys.items()},
            "claim_code": self.claim_code,
        }
        card_keys = {
            "format": CARD_KEYS_FORMAT,
            "k1_masters": {str(version): key.hex() for version, key in self.card_keys.k1_masters.items()},
            "system_id": self.card_keys.system_id.hex(),
            "aid": AID.hex(),
        }
        documents = {KIT_FILE: kit, CARD_KEYS_FILE: card_keys}
        return {file: json.dumps(document, indent=2) + "\n" for file, document in documents.items()}


def decode(kit: bytes, card_keys: bytes) -> Kit:
    """Read both documents. Raises MalformedKit."""
    document = _document(KIT_FILE, kit, FORMAT)
    keys = _card_keys(card_keys)
    try:
        found = Kit(
            device=int(document["device"]),
            ledger_url=str(document["ledger_url"]),
            bundle_keys={
                int(kid): Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
                for kid, key in document["bundle_keys"].items()
            },
            claim_code=str(document["claim_code"]),
            card_keys=keys,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedKit(KIT_FILE, fault) from fault
    on_the_web = found.ledger_url.startswith(("http://", "https://"))
    if not 1 <= found.device <= MAX_DEVICE_ID or not found.bundle_keys or not on_the_web:
        raise MalformedKit(KIT_FILE, "device, ledger_url or bundle_keys is out of range")
    return found


def _card_keys(raw: bytes) -> ValidatorKeys:
    document = _document(CARD_KEYS_FILE, raw, CARD_KEYS_FORMAT)
    try:
        aid = bytes.fromhex(document["aid"])
        masters = {int(version): bytes.fromhex(key) for version, key in document["k1_masters"].items()}
        keys = ValidatorKeys(masters, bytes.fromhex(document["system_id"]))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedKit(CARD_KEYS_FILE, fault) from fault
    if aid != AID:
        raise MalformedKit(CARD_KEYS_FILE, "it is for another card application than this version's")
    return keys


def _document(file: str, raw: bytes, known_format: int) -> dict[str, Any]:
    try:
        document: object = json.loads(raw)
    except ValueError as fault:
        raise MalformedKit(file, "it is not JSON") from fault
    if not isinstance(document, dict):
        raise MalformedKit(file, "it is not an object")
    fields = cast("dict[str, Any]", document)
    if fields.get("format") != known_format:
        raise MalformedKit(file, f"its format is not {known_format}")
    return fields
