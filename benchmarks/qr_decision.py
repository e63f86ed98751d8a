"""The decision about a phone ticket, against one bare Ed25519 and one bare P-256 verification of its bytes.

The floor's keys are loaded beforehand; ours must load the phone's key from the ticket: it is a fresh one.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.measuring import Effort, Measured, compare_cpu
from fare.core.proof.phone import (
    EntitlementClaims,
    encode_proof,
    encode_ticket,
    entitlement_to_sign,
    examine,
    proof_to_sign,
    sign_entitlement,
)

_NOW_S = 1_795_305_600
_KID = b"\x01"


def measure(effort: Effort) -> list[Measured]:
    """Compare `examine` with the two verifications that it cannot do without."""
    channel = Ed25519PrivateKey.generate()
    phone = ec.generate_private_key(ec.SECP256R1())
    point = phone.public_key().public_numbers()
    claims = EntitlementClaims(
        expires_at_s=_NOW_S + 3600,
        issued_at_s=_NOW_S - 60,
        cti=bytes(8),
        public_x=point.x.to_bytes(32, "big"),
        public_y_odd=bool(point.y & 1),
        product=1,
        max_taps=40,
        max_fare_rial=35_000,
    )
    issued = sign_entitlement(claims, channel, _KID)
    issuer_bytes = entitlement_to_sign(claims, _KID)
    issuer_signature = channel.sign(issuer_bytes)
    proof = encode_proof(issued, _NOW_S, 1)
    signature = phone.sign(proof_to_sign(proof), ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(signature)
    text = encode_ticket(proof, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    issuer_key, phone_key, phone_bytes = channel.public_key(), phone.public_key(), proof_to_sign(proof)
    keys = {_KID: issuer_key}
    if isinstance(refused := examine(text, keys, _NOW_S, True, lambda _cti: False), str):
        raise TypeError(f"the benchmark's ticket was refused: {refused}")

    def floor() -> None:
        issuer_key.verify(issuer_signature, issuer_bytes)
        phone_key.verify(signature, phone_bytes, ec.ECDSA(SHA256()))

    def ours() -> None:
        examine(text, keys, _NOW_S, True, lambda _cti: False)

    floor_is = "one bare Ed25519 and one bare P-256 verification"
    return [
        compare_cpu("qr-decision", "QR decision: CPU of the validator", ours, floor, floor_is, 1.3, effort)
    ]
