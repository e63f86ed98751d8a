"""The cards' masters and the signing keys of a ledger whose keys are in a PKCS#11 token. No key is in a file.

    keys/card-generations.json   {"format": 1, "token": label, "system_id": hex, and the roster's fields}

The list is what counts: a key in the token that it does not name was never used and is destroyed when its
number comes up. So keys are made before the list names them, and destroyed after it no longer does.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fare.core.desfire import crypto
from fare.core.desfire.keys import (
    CardKey,
    KeyNotHeld,
    KeyPurpose,
    SecretKey,
    ValidatorKeys,
    diversification_input,
)
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError
from fare.keys import private_files
from fare.keys.generations import Generation, Roster
from fare.keys.master_file import SYSTEM_ID, MasterDocument
from fare.keys.token import PREFIX, NoSuchKey, Token

_FORMAT: Final = 1
_TM: Final = KeyPurpose.TRANSACTION_MAC
_PROBE: Final = b"\x01mancard import check"


@dataclass(frozen=True, slots=True)
class TokenList:
    """What the file says: which token, which system, which generations."""

    token: str
    system_id: bytes
    roster: Roster

    def encode(self) -> bytes:
        """The file's content."""
        document = {"format": _FORMAT, "token": self.token, "system_id": self.system_id.hex()}
        return json.dumps(document | self.roster.encode(), indent=1).encode()


def decode(content: bytes) -> TokenList:
    """Raises ValueError, KeyError or TypeError."""
    document: dict[str, Any] = json.loads(content)
    if document["format"] != _FORMAT:
        raise ValueError("another format")
    return TokenList(str(document["token"]), bytes.fromhex(document["system_id"]), Roster.decode(document))


class TokenMasters:
    """The masters in a token. A CardKeyStore, and how the generations in it are changed."""

    def __init__(self, token: Token, file: Path) -> None:
        """Read the list and see that the token holds all it names. Raises OperatorError."""
        self._token, self._file = token, file
        self._list = private_files.Followed(file, decode)
        found = self._list.last
        if found.token != token.label:
            raise OperatorError(
                f"The keys of this ledger are in the token {found.token}, not in {token.label}: correct"
                " MANCARD_KEYS_TOKEN."
            )
        missing = sorted(_labels(found.roster) - token.labels())
        if missing:
            raise OperatorError(
                f"The token {token.label} lacks {PREFIX}{missing[0]}: restore its backup first."
            )

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return self._list.now().roster.held

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self._list.now().roster.current

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore. The card's own key comes out of the token, never its master."""
        known = self._list.last
        if not _names(known.roster, purpose, version):
            known = self._list.now()
            if not _names(known.roster, purpose, version):
                raise KeyNotHeld(purpose, version)
        message = b"\x01" + diversification_input(uid, AID, known.system_id)
        try:
            return SecretKey(self._token.mac(_label(purpose, version), message))
        except NoSuchKey:
            raise KeyNotHeld(purpose, version) from None

    def validator_keys(self) -> ValidatorKeys:
        """Raises OperatorError: k1's masters leave the token wrapped for another one, or not at all."""
        raise OperatorError(
            "The cards' masters are sealed in a token, so a kit cannot carry them in the clear: make it with"
            " --token-key, the public key of the validator's own token."
        )

    def wrapped_validator_keys(self, public_key: RSAPublicKey) -> tuple[bytes, Mapping[int, bytes]]:
        """System id, and k1's masters by version, wrapped for the token that this RSA key is of."""
        found = self._list.now()
        return found.system_id, {
            version: self._token.wrap(_label(KeyPurpose.VALIDATOR, version), public_key)
            for version in found.roster.held
        }

    # --- generations ---

    @property
    def next_version(self) -> int:
        """The number of the next generation."""
        return self._list.now().roster.last + 1

    def listed(self) -> tuple[Generation, ...]:
        """The generations and their states, oldest first."""
        return self._list.now().roster.listed()

    def add_generation(self, version: int) -> None:
        """Draw the next generation inside the token, and stage it. Raises OperatorError."""

        def change(roster: Roster) -> Roster:
            staged = roster.with_new(version)
            _draw(self._token, version)
            return staged

        self._change(change)

    def activate(self, version: int) -> None:
        """Let new cards get a staged generation from now on. Raises OperatorError."""
        self._change(lambda roster: roster.with_current(version))

    def retire(self, version: int, *, keep_proofs: bool) -> None:
        """Destroy a generation, but for the proofs' master if `keep_proofs`. Raises OperatorError."""
        self._change(lambda roster: roster.without(version, keep_proofs=keep_proofs))
        self._token.destroy(
            _label(purpose, version) for purpose in KeyPurpose if not (keep_proofs and purpose is _TM)
        )

    def _change(self, change: Callable[[Roster], Roster]) -> None:
        with private_files.locked(self._file.parent):
            found = private_files.read(self._file, decode)
            changed = replace(found, roster=change(found.roster))
            private_files.replace(self._file, changed.encode())
        self._list.now()


def found_token(token: Token, file: Path, signers: Sequence[str]) -> None:
    """Make every key of a new ledger inside an empty token, then the list. Raises OperatorError."""
    with private_files.locked(file.parent):
        if file.exists():
            return  # another process was first
        _require_empty(token)
        for name in signers:
            token.generate_signer(name)
        _draw(token, 1)
        private_files.write_new(file, TokenList(token.label, SYSTEM_ID, Roster.first()).encode())


def import_keys(
    token: Token, file: Path, masters: MasterDocument, signers: Mapping[str, Ed25519PrivateKey]
) -> None:
    """Put a ledger's keys into an empty token, try each there, then write the list. Raises OperatorError.

    What an import that broke off left behind is destroyed first, if it is certainly the same keys.
    """
    wanted = {
        _label(KeyPurpose(purpose), version): key
        for version, keys in masters.masters.items()
        for purpose, key in keys.items()
    }
    with private_files.locked(file.parent):
        if file.exists():
            raise OperatorError(
                f"These keys are in the token {token.label} already: there is nothing to import."
            )
        present = token.labels()
        if present - wanted.keys() - signers.keys():
            _require_empty(token)
        for label, key in wanted.items():
            if label not in present:
                token.import_master(label, key, wrappable=_wrappable(label))
            if not hmac.compare_digest(token.mac(label, _PROBE), crypto.cmac(key, _PROBE)):
                raise OperatorError(_FOREIGN.format(token=token.label))
        for name, signer in signers.items():
            if name not in present:
                token.import_signer(name, signer)
            if token.sign(name, _PROBE) != signer.sign(_PROBE):  # Ed25519 signs one message in one way
                raise OperatorError(_FOREIGN.format(token=token.label))
        private_files.write_new(file, TokenList(token.label, masters.system_id, masters.roster).encode())


_FOREIGN: Final = (
    "The token {token} holds keys of another ledger: use an empty token, or set that one up anew."
)


def _require_empty(token: Token) -> None:
    if token.labels():
        raise OperatorError(
            _FOREIGN.format(token=token.label)
            + " If it is this ledger's own, restore card-generations.json from its backup."
        )


def _draw(token: Token, version: int) -> None:
    labels = [_label(purpose, version) for purpose in KeyPurpose]
    token.destroy(labels)
    for label in labels:
        token.generate_master(label, wrappable=_wrappable(label))


def _label(purpose: KeyPurpose, version: int) -> str:
    return f"{purpose.value}-v{version}"


def _wrappable(label: str) -> bool:
    return label.startswith(f"{KeyPurpose.VALIDATOR.value}-")


def _names(roster: Roster, purpose: KeyPurpose, version: int) -> bool:
    return version in roster.held or (purpose is _TM and version in roster.retired)


def _labels(roster: Roster) -> set[str]:
    whole = {_label(purpose, version) for version in roster.held for purpose in KeyPurpose}
    return whole | {_label(_TM, version) for version in roster.retired}
