"""A virtual phone: a P-256 key and the MC1 ticket texts it would show as QR codes.

It is an oracle for the validator's reader: COSE, CBOR and base45 are done here a second time, with other
tools. It never checks an entitlement; whatever it is given to hold is shown.

    text  = "MC1:" + base45([ bstr {1: -7}, {}, bstr proof, signature(64) ])
    proof = [ entitlement, ts, ctr, pax, ? challenge(8) ]
"""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hardware.emulator.image import PRIVATE, replace_file
from hardware.emulator.memory import BadDocument, Fields

SUFFIX = ".phone.json"
FORMAT = "mancard-virtual-phone-1"
PREFIX = "MC1:"
EXTERNAL_AAD = b"MC1"
PROTECTED = bytes.fromhex("a10126")  # {1: -7}, ES256
CHALLENGE_BYTES = 8
COORDINATE_BYTES = 32
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class PhoneError(Exception):
    """The phone cannot do that; the message is one sentence."""


def base45(data: bytes) -> str:
    """RFC 9285: two bytes become three characters, a last single byte two."""
    text: list[str] = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            text.append(BASE45[digit])
    return "".join(text)


class VirtualPhone:
    """One phone key and the entitlement it holds."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, entitlement: bytes | None = None) -> None:
        self._private_key = private_key
        self._entitlement = entitlement

    @classmethod
    def new(cls) -> VirtualPhone:
        """A phone with a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_scalar(cls, scalar: int) -> VirtualPhone:
        """A phone with a known private key, for vectors."""
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    @property
    def public_key_xy(self) -> tuple[bytes, bytes]:
        """The two coordinates of the public key, 32 bytes each."""
        numbers = self._private_key.public_key().public_numbers()
        return numbers.x.to_bytes(COORDINATE_BYTES, "big"), numbers.y.to_bytes(COORDINATE_BYTES, "big")

    @property
    def entitlement(self) -> bytes | None:
        """The entitlement on the phone, as issued."""
        return self._entitlement

    def hold(self, entitlement: bytes) -> None:
        """Keep an entitlement (an encoded COSE_Sign1 array); :class:`PhoneError` when it is not one."""
        try:
            item: object = cbor2.loads(entitlement)
        except (ValueError, EOFError):
            item = None
        if not isinstance(item, list):
            raise PhoneError("this is not an entitlement: issue a new one for this phone")
        self._entitlement = entitlement

    def ticket(
        self,
        ts: int,
        ctr: int,
        pax: int = 1,
        challenge: bytes | None = None,
        *,
        deterministic: bool = False,
    ) -> bytes:
        """The signed token; ``ts`` is unix seconds, ``deterministic`` signs as RFC 6979 does."""
        if self._entitlement is None:
            raise PhoneError("the phone holds no entitlement: buy or load one first")
        if challenge is not None and len(challenge) != CHALLENGE_BYTES:
            raise PhoneError(f"a challenge has {CHALLENGE_BYTES} bytes, not {len(challenge)}")
        tail = (ts, ctr, pax) if challenge is None else (ts, ctr, pax, challenge)
        # The entitlement goes in byte for byte: encoding it anew could break the ledger's signature.
        proof = bytes((0x80 | 1 + len(tail),)) + self._entitlement + b"".join(map(cbor2.dumps, tail))
        to_sign = cbor2.dumps(["Signature1", PROTECTED, EXTERNAL_AAD, proof])
        algorithm = ec.ECDSA(SHA256(), deterministic_signing=deterministic)
        r, s = decode_dss_signature(self._private_key.sign(to_sign, algorithm))
        signature = r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
        unprotected: dict[int, object] = {}
        return cbor2.dumps([PROTECTED, unprotected, proof, signature])

    def ticket_text(
        self,
        ts: int,
        ctr: int,
        pax: int = 1,
        challenge: bytes | None = None,
        *,
        deterministic: bool = False,
    ) -> str:
        """The text of the QR code: ``MC1:`` and the token in base45."""
        return PREFIX + base45(self.ticket(ts, ctr, pax, challenge, deterministic=deterministic))

    def save(self, folder: Path, name: str) -> Path:
        """Write ``NAME.phone.json``, mode 0600."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}{SUFFIX}"
        scalar = self._private_key.private_numbers().private_value
        document = {
            "format": FORMAT,
            "private_key": f"{scalar:064x}",
            "entitlement": None if self._entitlement is None else self._entitlement.hex(),
        }
        replace_file(path, json.dumps(document, indent=1).encode())
        path.chmod(PRIVATE)
        return path

    @classmethod
    def load(cls, folder: Path, name: str) -> VirtualPhone:
        """Read ``NAME.phone.json``; :class:`PhoneError` says what is wrong with it."""
        path = folder / f"{name}{SUFFIX}"
        try:
            document: object = json.loads(path.read_bytes())
            fields = Fields(document, "the phone")
            if fields.text("format") != FORMAT:
                raise BadDocument(f"its format is not {FORMAT!r}")
            scalar = int.from_bytes(fields.raw("private_key", COORDINATE_BYTES), "big")
            phone = cls.from_scalar(scalar)
            if fields.has("entitlement"):
                phone.hold(fields.raw("entitlement"))
            return phone
        except FileNotFoundError:
            raise PhoneError(f"there is no phone {name!r} in {folder}") from None
        except OSError as error:
            raise PhoneError(f"the phone {path} cannot be read: {error.strerror}") from None
        except ValueError as error:
            reason = str(error) if isinstance(error, BadDocument) else "it holds no valid key"
            raise PhoneError(f"{path} is not a phone: {reason}; restore it from a copy") from None
