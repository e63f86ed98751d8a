"""The provisioning kit of a validator: two JSON documents that the ledger writes and the validator reads.

    kit.json        {"format": 1, "device": 7, "ledger_url": "http://…", "bundle_keys": {"1": hex of Ed25519},
                     "claim_code": "…"}
    card-keys.json  {"format": 2, "system_id": hex, "aid": hex, and one of
                     "k1_masters": {"1": hex}
                     "store": "pkcs11", "module": file, "token": label, "k1_wrapped": {"1": hex}
                     "store": "sam", "reader": name, "k1_entries": {"1": key number}}

It opens no file, no token and no module. Masters and entries are of k1, by key version, two while cards move
from one generation to the next; they open cards for a debit and neither create value nor forge a proof.
`k1_masters` is the development form: in the field a token has them (each wrapped under RSA-OAEP for that
token alone) or a secure access module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.desfire.keys import CardKey, CardKeyStore, KeyPurpose, KeySealed, ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.errors import MalformedDocument
from fare.core.fields import text, uint
from fare.core.identifiers import MAX_DEVICE_ID

FORMAT: Final = 1
CARD_KEYS_FORMAT: Final = 2
KIT_FILE: Final = "kit.json"
CARD_KEYS_FILE: Final = "card-keys.json"
PKCS11_STORE: Final = "pkcs11"
SAM_STORE: Final = "sam"
_MAX_KEY_ENTRY: Final = 0xFF


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """Says which PKCS#11 token has k1's masters. A CardKeyStore whose keys are sealed until it is opened.

    `wrapped`: each master by version, under the RSA key of that token, for it to take in.
    """

    module: str
    token: str
    wrapped: Mapping[int, bytes] = field(repr=False)
    system_id: bytes

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return tuple(sorted(self.wrapped))

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self.versions[-1]

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """Raises KeySealed."""
        raise KeySealed(purpose)


@dataclass(frozen=True, slots=True)
class SamKeys:
    """Says which secure access module has k1's masters. A CardKeyStore, sealed until it is opened.

    `entries`: the number of the module's key entry, by version of k1. `reader`: the name of its PC/SC slot.
    """

    reader: str
    entries: Mapping[int, int]
    system_id: bytes

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return tuple(sorted(self.entries))

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self.versions[-1]

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """Raises KeySealed."""
        raise KeySealed(purpose)


KitKeys = ValidatorKeys | TokenKeys | SamKeys


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
    card_keys: CardKeyStore

    def encode(self) -> dict[str, str]:
        """Both documents, by the names of their files. ValueError for card keys that none describes."""
        kit = {
            "format": FORMAT,
            "device": self.device,
            "ledger_url": self.ledger_url,
            "bundle_keys": {str(kid): key.public_bytes_raw().hex() for kid, key in self.bundle_keys.items()},
            "claim_code": self.claim_code,
        }
        if not isinstance(self.card_keys, KitKeys):
            raise ValueError("a kit carries its card keys, or says which token or module has them")
        return {KIT_FILE: _json(kit), CARD_KEYS_FILE: encode_card_keys(self.card_keys)}


def encode_card_keys(keys: KitKeys) -> str:
    """The document card-keys.json by itself."""
    document: dict[str, Any] = {"format": CARD_KEYS_FORMAT}
    match keys:
        case ValidatorKeys():
            document["k1_masters"] = {str(version): key.hex() for version, key in keys.k1_masters.items()}
        case TokenKeys():
            document |= {"store": PKCS11_STORE, "module": keys.module, "token": keys.token}
            document["k1_wrapped"] = {str(version): key.hex() for version, key in keys.wrapped.items()}
        case SamKeys():
            document |= {"store": SAM_STORE, "reader": keys.reader}
            document["k1_entries"] = {str(version): entry for version, entry in keys.entries.items()}
    return _json(document | {"system_id": keys.system_id.hex(), "aid": AID.hex()})


def decode(kit: bytes, card_keys: bytes) -> Kit:
    """Read both documents. Raises MalformedKit."""
    document = _document(KIT_FILE, kit, FORMAT)
    keys = _card_keys(card_keys)
    try:
        found = Kit(
            device=uint(document["device"], "device", MAX_DEVICE_ID),
            ledger_url=text(document["ledger_url"], "ledger_url"),
            bundle_keys={
                _number(kid): Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
                for kid, key in document["bundle_keys"].items()
            },
            claim_code=text(document["claim_code"], "claim_code"),
            card_keys=keys,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedKit(KIT_FILE, fault) from fault
    on_the_web = found.ledger_url.startswith(("http://", "https://"))
    if found.device < 1 or not found.bundle_keys or not on_the_web:
        raise MalformedKit(KIT_FILE, "device, ledger_url or bundle_keys is out of range")
    return found


def _card_keys(raw: bytes) -> KitKeys:
    document = _document(CARD_KEYS_FILE, raw, CARD_KEYS_FORMAT)
    try:
        aid = bytes.fromhex(document["aid"])
        keys = _described(document, bytes.fromhex(document["system_id"]))
        if not keys.versions:
            raise ValueError("it names no generation of card keys")
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise MalformedKit(CARD_KEYS_FILE, fault) from fault
    if aid != AID:
        raise MalformedKit(CARD_KEYS_FILE, "it is for another card application than this version's")
    return keys


def _described(document: dict[str, Any], system_id: bytes) -> KitKeys:
    store = document.get("store")
    if store == PKCS11_STORE:
        wrapped = {_number(version): bytes.fromhex(key) for version, key in document["k1_wrapped"].items()}
        module, token = text(document["module"], "module"), text(document["token"], "token")
        return TokenKeys(module, token, wrapped, system_id)
    if store == SAM_STORE:
        entries = {
            _number(version): uint(entry, "an entry", _MAX_KEY_ENTRY)
            for version, entry in document["k1_entries"].items()
        }
        return SamKeys(text(document["reader"], "reader"), entries, system_id)
    if store is not None:
        raise ValueError("its store is of a kind that this version does not know")
    masters = {_number(version): bytes.fromhex(key) for version, key in document["k1_masters"].items()}
    return ValidatorKeys(masters, system_id)


def _number(name: str) -> int:
    """A number that is the name of a field, in its one form. Raises ValueError."""
    number = int(name)
    if str(number) != name or number < 0:
        raise ValueError(f"{name!r:.20} is not a number of a key")
    return number


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _document(file: str, raw: bytes, known_format: int) -> dict[str, Any]:
    try:
        document: object = json.loads(raw)
    except ValueError as fault:
        raise MalformedKit(file, "it is not JSON") from fault
    if not isinstance(document, dict):
        raise MalformedKit(file, "it is not an object")
    fields = cast("dict[str, Any]", document)
    format_ = fields.get("format")
    if type(format_) is not int or format_ != known_format:  # true and 1.0 equal 1
        raise MalformedKit(file, f"its format is {format_!r:.20} and this version reads {known_format}")
    return fields
