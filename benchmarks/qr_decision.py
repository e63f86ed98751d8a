"""The decision about a phone's ticket, against one bare Ed25519 and one bare P-256 verification of its bytes.

Ours is the whole `decide_ticket`: text to price, up to the replay memory. The floor's two keys are loaded
beforehand, but a ticket brings a fresh phone key, a compressed point that has to be loaded (and decompressed)
before it can verify anything: about half of what is above the floor. The second line shows it by a floor that
loads that key too; it has no aim and stands for nothing else. The third is what no ticket may cost: any text
that a camera delivers is refused within 5 ms.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.measuring import MILLISECONDS, Effort, Measured, compare_cpu
from fare.core import base45
from fare.core.boarding import Boarding
from fare.core.bundle import Bundle
from fare.core.proof.mc1 import (
    EntitlementClaims,
    encode_proof,
    encode_ticket,
    entitlement_to_sign,
    proof_to_sign,
    sign_entitlement,
)
from fare.core.tap import BundleVersion
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.core.ticket_decision import TicketRide, decide_ticket

_NOW_S = 1_795_305_600
_KID = b"\x01"
_FARE_RIAL = 35_000
_VEHICLE = "bus-1"
_BOARDING = Boarding(7, 1, _NOW_S, 1, 0)
_HOSTILE_RUNS = 200
_DENIED = frozenset(number.to_bytes(8) for number in range(1, 5_001))


def measure(effort: Effort) -> list[Measured]:
    """Compare `decide_ticket` with the two verifications that it cannot do without."""
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
        max_fare_rial=_FARE_RIAL,
    )
    issued = sign_entitlement(claims, channel, _KID)
    issuer_bytes = entitlement_to_sign(claims, _KID)
    issuer_signature = channel.sign(issuer_bytes)
    proof = encode_proof(issued, _NOW_S, 1)
    signature = phone.sign(proof_to_sign(proof), ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(signature)
    text = encode_ticket(proof, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    issuer_key, phone_key, phone_bytes = channel.public_key(), phone.public_key(), proof_to_sign(proof)
    encoded_point = bytes((2 + (point.y & 1),)) + claims.public_x
    keys, bundle = {_KID: issuer_key}, _bundle()
    if not isinstance(decided := _decide(text, bundle, keys), TicketRide):
        raise TypeError(f"the benchmark's ticket was refused: {decided}")

    def floor() -> None:
        issuer_key.verify(issuer_signature, issuer_bytes)
        phone_key.verify(signature, phone_bytes, ec.ECDSA(SHA256()))

    def floor_with_the_key() -> None:
        issuer_key.verify(issuer_signature, issuer_bytes)
        fresh = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), encoded_point)
        fresh.verify(signature, phone_bytes, ec.ECDSA(SHA256()))

    def ours() -> None:
        _decide(text, bundle, keys)

    what = "QR decision: CPU of the validator"
    floor_is = "one bare Ed25519 and one bare P-256 verification, both keys loaded beforehand"
    loading = "one bare Ed25519 and one bare P-256 verification, the phone's key loaded from its ticket"
    return [
        compare_cpu("qr-decision", what, ours, floor, floor_is, 1.3, effort),
        compare_cpu(
            "qr-decision-key-loaded",
            "the same, where the floor loads the phone's key too",
            ours,
            floor_with_the_key,
            loading,
            None,
            effort,
        ),
        _dearest_refusal(text, bundle, keys),
    ]


def _decide(text: object, bundle: Bundle, keys: Mapping[bytes, Ed25519PublicKey]) -> object:
    return decide_ticket(text, _BOARDING, _VEHICLE, bundle, keys, _NOW_S, True)


def _dearest_refusal(genuine: str, bundle: Bundle, keys: Mapping[bytes, Ed25519PublicKey]) -> Measured:
    """The text that takes longest to refuse, by the slowest of its runs: the limit is for each of them."""
    megabytes = 10 << 20
    texts = {
        "10 MB of zeros": "MC1:" + "0" * megabytes,
        "10 MB of emoji": "\N{BUS}" * (megabytes // 4),
        "emoji": "MC1:" + "\N{BUS}" * 100,
        "NUL": "MC1:" + "\x00" * 396,
        "a Wi-Fi code": "WIFI:S:bus;T:WPA;P:12345678;;",
        "an address": "https://example.org/" + "a" * 300,
        "a huge integer": str(7**450),
        "the most base45": "MC1:" + "FGW" * 132,
        "nested arrays": "MC1:" + base45.encode(b"\x84" * 264),
        "a last bit": genuine[:-3] + ("0" if genuine[-3] != "0" else "1") + genuine[-2:],
        "paper": "MP1:" + genuine[4:],
        "a proof of yesterday": genuine,
    }
    late_s = _NOW_S + 86_400
    slowest_ms: dict[str, float] = {}
    for name, text in texts.items():
        for _ in range(_HOSTILE_RUNS):
            started = time.process_time_ns()
            refusal = decide_ticket(text, _BOARDING, _VEHICLE, bundle, keys, late_s, True)
            taken_ms = (time.process_time_ns() - started) / 1e6
            if isinstance(refusal, TicketRide):
                raise TypeError(f"the benchmark's hostile text was accepted: {name}")
            slowest_ms[name] = max(taken_ms, slowest_ms.get(name, 0))
    dearest = max(slowest_ms, key=slowest_ms.__getitem__)
    what = f"QR refusal, the slowest of {len(texts)} hostile texts ({dearest}): CPU"
    return Measured("qr-refusal", what, MILLISECONDS, slowest_ms[dearest], most=5)


def _bundle() -> Bundle:
    tariff = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", _FARE_RIAL)})
    return Bundle(
        BundleVersion(bytes(8), 1), _NOW_S, "city", "Asia/Tehran", 14_400, 1, ((0, tariff),), {}, {}, {},
        denied_tickets=_DENIED,
    )  # fmt: skip
