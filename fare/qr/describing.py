"""What stands in a ticket, field by field, for people and as JSON. It verifies nothing and says so.

    JSON: {"kind": "MC1" or "MP1", "characters", "bytes", "entitlement": {…}, "proof": {…} (MC1 alone),
           "signatures_not_checked": ["ledger", "phone"]}

Byte strings are hex, times unix seconds, amounts rial.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from fare.core.proof.issued import SIGNATURE_BYTES
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.tickets import AnyTicket

_HEAD_COLUMNS: Final = 24


def as_document(ticket: AnyTicket, text: str) -> dict[str, Any]:
    """The module's JSON document. `text` is what the ticket was read from."""
    size: dict[str, Any] = {"characters": len(text), "bytes": len(ticket.raw)}
    if isinstance(ticket, PaperTicket):
        return {
            "kind": "MP1",
            **size,
            "entitlement": _terms(ticket) | {"vehicle": ticket.vehicle} | _signature(ticket.raw),
            "signatures_not_checked": ["ledger"],
        }
    granted = ticket.entitlement
    phone_key = {"phone_key_x": granted.public_x.hex(), "phone_key_y_odd": granted.public_y_odd}
    return {
        "kind": "MC1",
        **size,
        "entitlement": _terms(ticket) | phone_key | _signature(granted.raw),
        "proof": {
            "ts": ticket.ts_s,
            "ctr": ticket.ctr,
            "pax": ticket.pax,
            "challenge": None if ticket.challenge is None else ticket.challenge.hex(),
        }
        | _signature(ticket.raw),
        "signatures_not_checked": ["ledger", "phone"],
    }


def as_lines(ticket: AnyTicket, text: str) -> list[str]:
    """The same for a person; the last lines say which signatures were not checked."""
    document = as_document(ticket, text)
    size = f"{document['bytes']} bytes, {document['characters']} characters"
    granted = document["entitlement"]
    signed_by_ledger = [
        _line("channel key (kid)", f"{granted['kid']}  ({int(granted['kid'], 16)})"),
        _line("alias (cti)", granted["cti"]),
        _line("issued (iat)", moment(granted["iat"])),
        _line("expires (exp)", moment(granted["exp"])),
        _line("product", str(granted["product"])),
        _line("rides (max_taps)", str(granted["max_taps"])),
        _line("dearest ride (max_fare)", f"{granted['max_fare_rial']:,} rial a person"),
    ]
    if isinstance(ticket, PaperTicket):
        vehicle = f"{ticket.vehicle!r} alone" if ticket.vehicle is not None else "any; the ledger redeems it"
        return [
            f"Paper ticket MP1, {size}",
            " what the ledger signed",
            *signed_by_ledger,
            _line("vehicle", vehicle),
            _line("signature", f"{granted['signature']}"),
            "NOT CHECKED: the ledger's signature, the only one on paper. Anybody can write such a text;",
            "'mancard qr verify' checks it.",
        ]
    proof = document["proof"]
    return [
        f"Phone ticket MC1, {size}",
        " what the ledger signed",
        *signed_by_ledger,
        _line("phone's key, x", granted["phone_key_x"]),
        _line("phone's key, y", "odd" if granted["phone_key_y_odd"] else "even"),
        _line("signature", granted["signature"]),
        " what the phone signed",
        _line("made (ts)", moment(proof["ts"])),
        _line("ride (ctr)", ride(ticket)),
        _line("people (pax)", f"{ticket.pax}, for whom {ticket.held_rial:,} rial are held"),
        _line("challenge", proof["challenge"] or "none"),
        _line("signature", proof["signature"]),
        "NOT CHECKED: the ledger's signature, the phone's signature. Anybody can write such a text;",
        "'mancard qr verify' checks both.",
    ]


def ride(ticket: AnyTicket) -> str:
    """Which of the ticket's rides this is, in words."""
    last = ticket.ctr + ticket.pax - 1
    which = f"{ticket.ctr}" if ticket.pax == 1 else f"{ticket.ctr} to {last}"
    return f"{which} of {ticket.max_taps}"


def moment(at_s: int) -> str:
    """A time as people and programs read it."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC  ({at_s})"


def _terms(ticket: AnyTicket) -> dict[str, Any]:
    """What both kinds of entitlement have."""
    granted = ticket.entitlement if isinstance(ticket, PhoneTicket) else ticket
    return {
        "kid": granted.kid.hex(),
        "cti": granted.cti.hex(),
        "iat": granted.issued_at_s,
        "exp": granted.expires_at_s,
        "product": granted.product,
        "max_taps": granted.max_taps,
        "max_fare_rial": granted.max_fare_rial,
    }


def _signature(raw: bytes) -> dict[str, str]:
    return {"signature": raw[-SIGNATURE_BYTES:].hex()}


def _line(name: str, value: str) -> str:
    return f"  {name:{_HEAD_COLUMNS}} {value}"
