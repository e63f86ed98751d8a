"""The token that keeps a validator's card keys.

`mancard validator-token new --module FILE --token LABEL --pin-file FILE --out FILE.pem`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The token that keeps a validator's card keys."""


@app.command()
def new(
    module: Annotated[Path, typer.Option("--module", metavar="FILE", help="The token's PKCS#11 library.")],
    token: Annotated[str, typer.Option("--token", metavar="LABEL", help="The token's label.")],
    pin_file: Annotated[Path, typer.Option("--pin-file", metavar="FILE", help="Holds its PIN, mode 0600.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pem", help="Where the public key is written.")],
) -> None:
    """Make the token's transport key, unless it has one, and write the public half for the ledger."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from fare.core.errors import OperatorError
    from readers.keystores.token import transport_key
    from readers.kit import read_pin

    public = transport_key(str(module), token, read_pin(pin_file))
    try:
        out.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except OSError as fault:
        raise OperatorError(f"{out} cannot be written ({fault.strerror}): give another file.") from fault
    print(f"The public key of the token {token} is in {out}: bring it to the ledger, where")
    print(f"  mancard fleet card-keys DEVICE --out FOLDER --token-key {out.name} \\")
    print(f"    --module {module} --token {token}")
    print("wraps the card keys for this token and no other.")
