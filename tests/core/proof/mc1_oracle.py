"""MC1 tickets built by a general CBOR encoder, so that a misreading in the product is not repeated here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

VECTORS: Final[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors" / "qr.json").read_bytes())
GOLDEN: Final[dict[str, Any]] = VECTORS["mancard_mc1"]

KID: Final = bytes.fromhex(GOLDEN["kid"])
NOW_S: Final[int] = GOLDEN["now"]
ISSUER: Final = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(GOLDEN["issuer_ed25519_seed"]))
PHONE: Final = ec.derive_private_key(int(GOLDEN["device_p256_d"], 16), ec.SECP256R1())
KEYS: Final = {KID: Ed25519PublicKey.from_public_bytes(bytes.fromhex(GOLDEN["issuer_pub"]))}

CTI: Final = bytes.fromhex("a1b2c3d4e5f60718")
PUBLIC_X: Final = PHONE.public_key().public_numbers().x.to_bytes(32, "big")

BASE45: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45_text(data: bytes) -> str:
    out: list[str] = []
    for at in range(0, len(data), 2):
        chunk = data[at : at + 2]
        value = int.from_bytes(chunk, "big")
        for _ in range(len(chunk) + 1):
            value, digit = divmod(value, 45)
            out.append(BASE45[digit])
    return "".join(out)


def sig_structure(protected: bytes, payload: bytes, aad: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, aad, payload])


def phone_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass
class Ticket:
    """The golden ticket, any part of which may be said differently before it is signed properly."""

    kid: bytes = KID
    exp: Any = 1790259200
    iat: Any = 1790000000
    cti: Any = CTI
    product: Any = 3
    max_taps: Any = 40
    max_fare: Any = 400
    ts: Any = NOW_S
    ctr: Any = 7
    pax: Any = 1
    challenge: Any = None
    x: Any = PUBLIC_X
    y: Any = False
    claims: Any = None
    proof_tail: list[Any] | None = None
    aad: bytes = b"MC1"
    issuer_aad: bytes = b"MC1"
    issuer_protected: bytes | None = None
    phone_protected: bytes = bytes.fromhex("a10126")
    issuer_unprotected: Any = field(default_factory=dict)
    phone_unprotected: Any = field(default_factory=dict)
    issuer_key: Ed25519PrivateKey = ISSUER
    phone_key: ec.EllipticCurvePrivateKey = PHONE

    def entitlement(self) -> list[Any]:
        claims = self.claims
        if claims is None:
            cnf = {1: {1: 2, -1: 1, -2: self.x, -3: self.y}}
            limits = [self.product, self.max_taps, self.max_fare]
            claims = cbor2.dumps({4: self.exp, 6: self.iat, 7: self.cti, 8: cnf, -65537: limits})
        protected = self.issuer_protected
        if protected is None:
            protected = cbor2.dumps({1: -8, 4: self.kid})
        signature = self.issuer_key.sign(sig_structure(protected, claims, self.issuer_aad))
        return [protected, self.issuer_unprotected, claims, signature]

    def proof(self) -> bytes:
        tail = self.proof_tail
        if tail is None:
            tail = [self.ts, self.ctr, self.pax] + ([] if self.challenge is None else [self.challenge])
        return cbor2.dumps([self.entitlement(), *tail])

    def token(self) -> bytes:
        return self.seal(self.proof())

    def seal(self, proof: bytes) -> bytes:
        signature = phone_signature(self.phone_key, sig_structure(self.phone_protected, proof, self.aad))
        return cbor2.dumps([self.phone_protected, self.phone_unprotected, proof, signature])

    def text(self) -> str:
        return as_text(self.token())


def as_text(token: bytes) -> str:
    return "MC1:" + base45_text(token)
