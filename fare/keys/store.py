"""The ledger's keys: made at first start, kept where no other account may read them. Never printed.

    keys/card-issuer.pem      Ed25519, signs card entitlements     (kid 1)
    keys/channel.pem …        Ed25519, sign tickets' entitlements  (kid 2, 5 … 255; see `fare.keys.channels`)
    keys/channels.json        which of them signs, and which are believed
    keys/acknowledgement.pem  Ed25519, signs acknowledgements      (kid 3)
    keys/bundle.pem           Ed25519, signs bundles               (kid 4)
    keys/card-masters.json    AES-128 masters of the cards' keys   (see `fare.keys.master_file`)
    keys/ledger-epoch         8 random bytes, in hex: a restored ledger gets a new one

Each key id has one purpose. With MANCARD_KEYS=pkcs11 a token holds the keys instead (see `fare.keys.token`),
and the folder the epoch and the two lists alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fare.core.desfire.keys import CardKeyStore, ValidatorKeys
from fare.core.errors import OperatorError
from fare.keys import private_files, signing
from fare.keys.channels import ChannelFiles, ChannelKeys, held_files
from fare.keys.generations import Generation
from fare.keys.master_file import MASTERS_FILE, MasterFile
from fare.keys.master_file import decode as decode_masters
from fare.keys.signing import SigningKey
from fare.settings import KeyPlace, KeySettings

EPOCH_SIZE: Final = 8
SIGNING_KIDS: Final = {"card-issuer": 1, "acknowledgement": 3, "bundle": 4}
"""Beside the channel keys, of which there are several."""
ROSTER_FILE: Final = "card-generations.json"
"""There with a token alone: which generations the token holds (see `fare.keys.token`)."""
_EPOCH_FILE: Final = "ledger-epoch"


class ChannelRing(Protocol):
    """The keys that sign tickets, each under its own kid. See `fare.keys.channels.ChannelKeys`."""

    @property
    def active(self) -> SigningKey: ...
    def trusted(self) -> Mapping[int, bytes]: ...
    def known(self) -> Mapping[bytes, Ed25519PublicKey]: ...
    def revoked(self) -> frozenset[int]: ...


class KeyStore(Protocol):
    """What services need of the keys, wherever these are kept."""

    @property
    def card_issuer(self) -> SigningKey: ...
    @property
    def channel(self) -> SigningKey: ...
    @property
    def channels(self) -> ChannelRing: ...
    @property
    def acknowledgement(self) -> SigningKey: ...
    @property
    def bundle(self) -> SigningKey: ...
    @property
    def cards(self) -> CardKeyStore: ...
    @property
    def ledger_epoch(self) -> bytes: ...


class CardMasterStore(CardKeyStore, Protocol):
    """The masters of the cards' keys and their generations, in a file or in a token."""

    @property
    def next_version(self) -> int:
        """The number of the next generation."""
        ...

    def listed(self) -> Sequence[Generation]:
        """The generations and their states, oldest first."""
        ...

    def add_generation(self, version: int) -> None:
        """Make the next generation, which must be `version`, and stage it. Raises OperatorError."""
        ...

    def activate(self, version: int) -> None:
        """Let new cards get a staged generation from now on. Raises OperatorError."""
        ...

    def retire(self, version: int, *, keep_proofs: bool) -> None:
        """Destroy a generation, but for the proofs' master if `keep_proofs`. Raises OperatorError."""
        ...

    def validator_keys(self) -> ValidatorKeys:
        """The masters of k1, every generation held. Raises OperatorError where they cannot be shown."""
        ...

    def wrapped_validator_keys(self, public_key: RSAPublicKey) -> tuple[bytes, Mapping[int, bytes]]:
        """System id, and k1's masters by version under RSA-OAEP, for the token that has the private key."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """The keys of one ledger, opened. A `KeyStore`."""

    card_issuer: SigningKey
    channels: ChannelKeys
    acknowledgement: SigningKey
    bundle: SigningKey
    cards: CardMasterStore
    ledger_epoch: bytes

    @classmethod
    def open(cls, folder: Path, settings: KeySettings | None = None) -> LedgerKeys:
        """Open the keys, making those that are missing; `settings` come from the environment unless given.

        Raises OperatorError for files that others may read, that cannot be read, or whose content is not a
        key, and for a token that cannot be used or holds other keys than the folder says.
        """
        settings = settings or KeySettings()
        private_files.prepare_folder(folder)
        signers, channels, masters = (
            _in_token(folder, settings) if settings.store is KeyPlace.PKCS11 else _in_files(folder)
        )
        return cls(
            card_issuer=signers["card-issuer"],
            channels=channels,
            acknowledgement=signers["acknowledgement"],
            bundle=signers["bundle"],
            cards=masters,
            ledger_epoch=private_files.read_or_make(folder / _EPOCH_FILE, _new_epoch, _epoch),
        )

    @property
    def channel(self) -> SigningKey:
        """The channel key that signs now. Ask once for a signature: the next answer may be another key."""
        return self.channels.active

    @property
    def validator_keys(self) -> ValidatorKeys:
        """What a validator's kit carries of them: the masters of k1, every generation."""
        return self.cards.validator_keys()


_Opened = tuple[dict[str, SigningKey], ChannelKeys, CardMasterStore]


def _in_files(folder: Path) -> _Opened:
    if (folder / ROSTER_FILE).exists() and not (folder / MASTERS_FILE).exists():
        raise OperatorError(
            f"The keys of {folder} are in a token: set MANCARD_KEYS=pkcs11 and name the token."
        )
    signers = {
        name: SigningKey(kid, signing.read_or_make(folder / f"{name}.pem"))
        for name, kid in SIGNING_KIDS.items()
    }
    return signers, ChannelKeys(folder, ChannelFiles(folder)), MasterFile(folder)


def _in_token(folder: Path, settings: KeySettings) -> _Opened:
    # Its library is an extra: a ledger whose keys are in files runs without it.
    from fare.keys.token import open_token  # noqa: PLC0415
    from fare.keys.token_channels import TokenChannels  # noqa: PLC0415
    from fare.keys.token_masters import TokenMasters, found_token  # noqa: PLC0415

    token = open_token(settings)
    roster_file = folder / ROSTER_FILE
    if not roster_file.exists():
        if (folder / MASTERS_FILE).exists():
            raise OperatorError(
                f"The keys of {folder} are still in files: 'mancard keys import' moves them into the token."
            )
        found_token(token, roster_file, tuple(SIGNING_KIDS))
    masters = TokenMasters(token, roster_file)
    signers = {name: SigningKey(kid, token.signer(name)) for name, kid in SIGNING_KIDS.items()}
    return signers, ChannelKeys(folder, TokenChannels(token)), masters


def has_keys(folder: Path) -> bool:
    """Whether a ledger has its keys here; opening another folder would make new ones."""
    return (folder / _EPOCH_FILE).exists()


def move_to_token(folder: Path, settings: KeySettings) -> list[Path]:
    """Put the keys of the folder's files into the token and set the files aside; returns where they are now.

    They are useless to the ledger from then on, and still secret: whoever called this destroys them.
    Raises OperatorError, the files being as they were, unless every key works in the token.
    """
    from fare.keys.token import open_token  # noqa: PLC0415
    from fare.keys.token_masters import import_keys  # noqa: PLC0415

    private_files.prepare_folder(folder)
    if not (folder / MASTERS_FILE).exists():
        raise OperatorError(f"There are no key files in {folder}: nothing is left to import.")
    signers = {name: signing.read_or_make(folder / f"{name}.pem") for name in SIGNING_KIDS}
    signers |= held_files(folder)
    document = private_files.read(folder / MASTERS_FILE, decode_masters)
    import_keys(open_token(settings), folder / ROSTER_FILE, document, signers)
    files = [folder / name for name in (MASTERS_FILE, *(f"{signer}.pem" for signer in signers))]
    return [file.rename(file.with_name(f"{file.name}.imported")) for file in files]


def _new_epoch() -> bytes:
    return secrets.token_hex(EPOCH_SIZE).encode()


def _epoch(content: bytes) -> bytes:
    epoch = bytes.fromhex(content.decode("ascii").strip())
    if len(epoch) != EPOCH_SIZE:
        raise ValueError("an epoch has 8 bytes")
    return epoch
