"""The codes of QR tickets, for developers and inspectors: draw, read, verify. No ledger is needed.

`mancard qr show TEXT|-` · `decode FILE|TEXT|-`
`mancard qr verify --at UNIX_SECONDS --issuer KID_HEX=KEY_HEX TEXT|FILE|-`

'-' reads the text from standard input. Exit status: 0 shown, decoded or accepted; 1 no ticket, or refused.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from fare.core.proof.tickets import AnyVerifiedTicket

app = typer.Typer(add_completion=False, no_args_is_help=True)

MAX_TEXT_CHARS: Final = 1 << 16
"""Of standard input: more than any ticket, so that it is still told as too long. The rest is not read."""

Text = Annotated[
    str, typer.Argument(metavar="TEXT", help="The text of the ticket; '-' reads standard input.")
]


@app.callback()
def _group() -> None:
    """The codes of QR tickets: draw, read, verify. No ledger is needed."""


@app.command()
def show(
    text: Text,
    png: Annotated[Path | None, typer.Option("--png", metavar="FILE", help="Write a PNG file.")] = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write an SVG file.")] = None,
) -> None:
    """Draw a ticket's text as a QR code, in the terminal unless a file is named."""
    from fare.core.errors import OperatorError
    from fare.qr.rendering import CannotDraw, as_blocks, as_png, as_svg, draw

    try:
        code = draw(_text(text))
    except CannotDraw as fault:
        raise OperatorError(str(fault)) from None
    if png is not None:
        _write(png, as_png(code))
    if svg is not None:
        _write(svg, as_svg(code).encode())
    if png is None and svg is None:
        _print(as_blocks(code, coloured=sys.stdout.isatty()).rstrip("\n"))
    else:
        named = " and ".join(str(file) for file in (png, svg) if file is not None)
        print(f"{named}: version {code.version}, level M.")


@app.command()
def decode(
    source: Annotated[
        str, typer.Argument(metavar="FILE|TEXT", help="A picture, a ticket's text, or '-' for a text.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON document.")] = False,
) -> None:
    """Tell every field of a ticket. No signature is checked."""
    import json

    from fare.core.proof.refusal import MalformedTicket
    from fare.core.proof.tickets import decode_any_ticket
    from fare.qr.describing import as_document, as_lines

    text = _ticket_text(source)
    try:
        ticket = decode_any_ticket(text)
    except MalformedTicket as fault:
        # What was not read was not counted either.
        told = f"{fault.reason}: longer than {MAX_TEXT_CHARS:,} characters" if _is_cut(text) else str(fault)
        print(f"{told}. {fault.reason.advice}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        _print(json.dumps(as_document(ticket, text), indent=1, ensure_ascii=False))
    else:
        for line in as_lines(ticket, text):
            _print(line)


@app.command()
def verify(
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT", help="The text of the ticket, or a picture of it; '-' reads standard input."
        ),
    ],
    at: Annotated[int, typer.Option("--at", metavar="UNIX_SECONDS", help="The moment it was shown.")],
    issuer: Annotated[
        list[str],
        typer.Option(
            "--issuer", metavar="KID_HEX=PUBLIC_KEY_HEX", help="An issuer's Ed25519 key; may be repeated."
        ),
    ],
    challenge: Annotated[
        str | None, typer.Option("--challenge", metavar="HEX", help="The 8 bytes that the phone must answer.")
    ] = None,
    vehicle: Annotated[
        str | None, typer.Option("--vehicle", metavar="NAME", help="The bus that a paper ticket must be for.")
    ] = None,
) -> None:
    """Say whether a ticket is accepted: 'accepted' and the ride, or the reason. Exit status 0 or 1."""
    from fare.core.errors import OperatorError
    from fare.qr.verifying import Refused, verify

    issuers = _issuers(issuer)
    asked = None if challenge is None else _bytes_of(challenge, 8)
    if challenge is not None and asked is None:
        raise OperatorError("A challenge is 8 bytes, 16 hex digits: --challenge 0011223344556677.")
    found = verify(
        _ticket_text(text) if _is_file(text) else _text(text), issuers, at, challenge=asked, vehicle=vehicle
    )
    if isinstance(found, Refused):
        print(f"{found.reason}: {found.advice}")
        raise typer.Exit(1)
    print("accepted")
    for line in _accepted(found, challenge, vehicle):
        _print(line)


def _accepted(ticket: AnyVerifiedTicket, challenge: str | None, vehicle: str | None) -> list[str]:
    """The ride, and what was not looked at."""
    from fare.core.proof.mp1 import PaperTicket
    from fare.qr.describing import moment, ride

    people = "1 person" if ticket.pax == 1 else f"{ticket.pax} people"
    lines = [
        f"  ride {ride(ticket)} on ticket {ticket.cti.hex()}, {people}, {ticket.held_rial:,} rial held",
        f"  key {ticket.kid.hex()}, good until {moment(ticket.expires_at_s)}",
    ]
    unseen = "the denylist, and whether this ride was taken already"
    if isinstance(ticket, PaperTicket):
        if ticket.vehicle is None:
            lines.append("  for any bus, once the ledger has redeemed it")
        else:
            lines.append(f"  for the bus {ticket.vehicle!r} alone")
            unseen += "" if vehicle is not None else ", and which bus this is (--vehicle)"
    elif ticket.challenge is not None:
        told = "as asked" if challenge is not None else "which nobody compared (--challenge)"
        lines.append(f"  answers the challenge {ticket.challenge.hex()}, {told}")
    return [*lines, f"  not looked at: {unseen}"]


def _ticket_text(source: str) -> str:
    """The text to decode: itself, or the one ticket in a picture. Raises OperatorError."""
    from fare.core.errors import OperatorError
    from fare.core.proof import mc1, mp1
    from fare.qr.pictures import texts_in

    prefixes = (mc1.PREFIX, mp1.PREFIX)
    if source == "-" or source.startswith(prefixes):
        return _text(source)
    if not _is_file(source):
        raise OperatorError(
            f"{_shortened(source)} is no file here and no text of a ticket, which has MC1: or MP1: in front."
        )
    texts = texts_in(Path(source))
    tickets = [text for text in texts if text.startswith(prefixes)]
    if len(tickets) == 1:
        return tickets[0]
    if tickets:
        raise OperatorError(f"{source} shows {len(tickets)} tickets: cut the picture down to one.")
    if texts:
        raise OperatorError(
            f"The code in {source} is no ticket of this system: it says {_shortened(texts[0])}."
        )
    raise OperatorError(f"No QR code can be read in {source}: take the picture nearer, sharper or brighter.")


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL inside
        return False


def _text(argument: str) -> str:
    """The argument, or standard input without its line end; what is no UTF-8 becomes no ticket."""
    if argument != "-":
        return argument
    # One character more than the limit shows that there was more; a character has four bytes at most.
    read = sys.stdin.buffer.read(4 * (MAX_TEXT_CHARS + 1)).decode(errors="replace")
    return read[: MAX_TEXT_CHARS + 1].rstrip("\r\n")


def _is_cut(text: str) -> bool:
    return len(text) > MAX_TEXT_CHARS


def _issuers(given: list[str]) -> dict[bytes, Ed25519PublicKey]:
    """The keys by their kids. Raises OperatorError that names the one that is wrong."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from fare.core.errors import OperatorError

    found: dict[bytes, Ed25519PublicKey] = {}
    for one in given:
        kid_hex, _, key_hex = one.partition("=")
        kid, raw = _bytes_of(kid_hex, 1), _bytes_of(key_hex, 32)
        if kid is None or raw is None:
            raise OperatorError(
                f"The issuer {_shortened(one)} is not KID_HEX=PUBLIC_KEY_HEX: two hex digits, '=', and the 64"
                " of an Ed25519 key."
            )
        try:
            key = Ed25519PublicKey.from_public_bytes(raw)
        except (ValueError, UnsupportedAlgorithm):
            raise OperatorError(f"The key of issuer {kid.hex()} is no Ed25519 key.") from None
        if kid in found and found[kid] != key:
            raise OperatorError(
                f"Issuer {kid.hex()} is given twice with different keys: a kid names one key."
            )
        found[kid] = key
    return found


def _bytes_of(digits: str, size: int) -> bytes | None:
    """`size` bytes written as hex and nothing else."""
    if len(digits) != 2 * size:
        return None
    try:
        return bytes.fromhex(digits) if digits.isalnum() else None
    except ValueError:
        return None


def _shortened(text: str) -> str:
    """What somebody gave, safe for a terminal and on one line."""
    shown = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    return ascii(shown) if not shown.isprintable() else f"'{shown}'"


def _print(line: str) -> None:
    """Print whatever the terminal's encoding; what it lacks becomes '?'."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, errors="replace").decode(encoding))


def _write(file: Path, content: bytes) -> None:
    from fare.core.errors import OperatorError

    try:
        file.write_bytes(content)
    except (OSError, ValueError) as fault:
        told = getattr(fault, "strerror", None) or "not a file name"
        raise OperatorError(f"{file} cannot be written ({told}): name another file.") from None


_SHOWN_CHARS: Final = 60
