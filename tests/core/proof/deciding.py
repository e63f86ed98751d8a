"""The golden phone ticket under the product's own decision, with everything that a bus knows filled in."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.proof import phone
from fare.core.proof.mc1 import EntitlementClaims, PhoneTicket
from fare.core.proof.refusal import TicketRefusal
from tests.core.proof.mc1_oracle import GOLDEN, KEYS, NOW_S, PHONE

TOKEN = bytes.fromhex(GOLDEN["token_hex"])
CLAIMS = EntitlementClaims(
    expires_at_s=1790259200,
    issued_at_s=1790000000,
    cti=bytes.fromhex("a1b2c3d4e5f60718"),
    public_x=PHONE.public_key().public_numbers().x.to_bytes(32),
    public_y_odd=False,
    product=3,
    max_taps=40,
    max_fare_rial=400,
)


def nobody(_: bytes) -> bool:
    return False


def examine(
    text: object,
    *,
    now_s: int = NOW_S,
    synchronised: bool = True,
    denylisted: Callable[[bytes], bool] = nobody,
    keys: dict[bytes, Ed25519PublicKey] = KEYS,
) -> PhoneTicket | TicketRefusal:
    return phone.examine(text, keys, now_s, synchronised, denylisted)


def expect_fields(decision: PhoneTicket | TicketRefusal) -> PhoneTicket:
    assert isinstance(decision, PhoneTicket)
    return decision
