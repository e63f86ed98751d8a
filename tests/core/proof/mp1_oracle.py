"""MP1 paper tickets built by a general CBOR encoder, so that no misreading of ours is repeated here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.core.proof.mc1_oracle import ISSUER, KID, base45_text, sig_structure

GOLDEN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "golden" / "paper_ticket.json").read_bytes()
)
CTI: Final = bytes.fromhex("c7d8e9fa0b1c2d3e")


@dataclass
class Paper:
    """The first golden paper ticket, any part of which may be said differently before it is signed."""

    kid: bytes = KID
    exp: Any = 1790259200
    iat: Any = 1790000000
    cti: Any = CTI
    product: Any = 3
    max_taps: Any = 1
    max_fare: Any = 400
    vehicle: Any = "bus-12"
    claims: Any = None
    aad: bytes = b"MP1"
    protected: bytes | None = None
    unprotected: Any = field(default_factory=dict)
    key: Ed25519PrivateKey = ISSUER

    def payload(self) -> bytes:
        limits = [self.product, self.max_taps, self.max_fare]
        whole = {4: self.exp, 6: self.iat, 7: self.cti, -65537: limits, -65538: self.vehicle}
        return cbor2.dumps(whole) if self.claims is None else self.claims

    def token(self) -> bytes:
        protected = cbor2.dumps({1: -8, 4: self.kid}) if self.protected is None else self.protected
        payload = self.payload()
        signature = self.key.sign(sig_structure(protected, payload, self.aad))
        return cbor2.dumps([protected, self.unprotected, payload, signature])

    def text(self) -> str:
        return as_text(self.token())


def as_text(token: bytes) -> str:
    return "MP1:" + base45_text(token)
