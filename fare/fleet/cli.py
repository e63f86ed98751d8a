"""The validators, buses and owners of the fleet.

`mancard fleet import FILE.csv` · `columns` · `enrol DEVICE --out FOLDER` · `card-keys DEVICE --out FOLDER` ·
`door DEVICE --exit | --boarding` · `devices` · `revoke DEVICE`
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fare.core.kit import KitKeys
    from fare.keys import LedgerKeys

Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the kit is written.")]
TokenKey = Annotated[
    Path | None,
    typer.Option(
        "--token-key",
        metavar="FILE.pem",
        help="The card keys are for a token: see 'mancard validator-token'.",
    ),
]
TokenModule = Annotated[
    str, typer.Option("--module", metavar="FILE", help="The PKCS#11 library on the validator.")
]
TokenLabel = Annotated[str, typer.Option("--token", metavar="LABEL", help="The token's label.")]

_MIN_TRANSPORT_BITS = 2048

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The validators, buses and owners of the fleet."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="See 'mancard fleet columns'.")],
) -> None:
    """Import dated assignments device -> vehicle -> owner -> contract. All rows or none."""
    from fare.database.engine import open_engine, write
    from fare.fleet import import_assignments
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    with write(open_engine(settings.database_url)) as session:
        report = import_assignments(session, file, settings.zone_info, settings.day_starts_at)
    print(
        f"{report.rows} rows: {report.new_assignments} new assignments, {report.new_vehicles} new vehicles, "
        f"{report.new_owners} new owners, {report.new_contracts} new contracts."
    )


@app.command()
def columns() -> None:
    """Explain the columns of the assignments file."""
    from fare.fleet import assignment_file

    print(assignment_file.__doc__)


@app.command()
def enrol(
    device: Annotated[int, typer.Argument(help="The number of the validator.")],
    out: Out,
    ledger_url: Annotated[str | None, typer.Option(help="Where the validator reaches the ledger.")] = None,
    token_key: TokenKey = None,
    module: TokenModule = "",
    token: TokenLabel = "",
) -> None:
    """Write the provisioning kit of one validator. Its claim code is good once, for 24 hours."""
    from datetime import UTC, datetime

    from fare.database.engine import open_engine, write
    from fare.fleet import create_device, note_card_keys, write_kit
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    keys = LedgerKeys.open(settings.keys_dir)
    card_keys = _card_keys(keys, token_key, module, token)
    with write(open_engine(settings.database_url)) as session:
        # The kit is written first: a code that no file holds would only have to be made again.
        write_kit(
            out,
            device_id=device,
            ledger_url=ledger_url or f"http://{settings.host}:{settings.port}",
            bundle_keys={keys.bundle.kid: keys.bundle.public_bytes},
            claim_code=create_device(session, device, datetime.now(UTC)),
            card_keys=card_keys,
        )
        note_card_keys(session, device, card_keys.versions[-1])
    print(f"The kit of device {device} is in {out}. Its claim code is good once, for 24 hours.")


@app.command("card-keys")
def card_keys_(
    device: Annotated[int, typer.Argument(help="The number of the validator.")],
    out: Out,
    token_key: TokenKey = None,
    module: TokenModule = "",
    token: TokenLabel = "",
) -> None:
    """Write the card keys of a validator anew, every generation, without touching its enrolment."""
    from fare.database.engine import open_engine, write
    from fare.fleet import note_card_keys, write_card_keys
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    card_keys = _card_keys(LedgerKeys.open(settings.keys_dir), token_key, module, token)
    with write(open_engine(settings.database_url)) as session:
        note_card_keys(session, device, card_keys.versions[-1])
        write_card_keys(out, card_keys)
    named = ", ".join(str(version) for version in card_keys.versions)
    print(f"The card keys of device {device} are in {out}, generations {named}.")
    print("Put the file in the place of the older one on the validator and start it again.")


@app.command("devices")
def devices_() -> None:
    """List the validators and whether they have enrolled."""
    from fare.database.engine import open_engine, read
    from fare.fleet import devices
    from fare.settings import LedgerSettings

    with read(open_engine(LedgerSettings().database_url)) as session:
        for state in devices(session):
            if state.revoked_at is not None:
                told = f"revoked {state.revoked_at:%Y-%m-%d %H:%M} UTC"
            elif state.enrolled_at is not None:
                told = f"enrolled {state.enrolled_at:%Y-%m-%d %H:%M} UTC"
            else:
                told = "waiting for its claim"
            print(f"{state.device_id:>8}  {told}{', at an exit' if state.at_exit else ''}")


@app.command("door")
def door_(
    device: Annotated[int, typer.Argument(help="The number of the validator.")],
    at_exit: Annotated[
        bool, typer.Option("--exit/--boarding", help="Whether riders tap it when they leave.")
    ],
) -> None:
    """Say at which door a validator is: where riders board, or where they tap when they leave."""
    from fare.database.engine import open_engine, write
    from fare.fleet import place_at_exit
    from fare.settings import LedgerSettings

    with write(open_engine(LedgerSettings().database_url)) as session:
        place_at_exit(session, device, at_exit=at_exit)
    does = "when they leave" if at_exit else "when they board"
    print(f"Riders tap device {device} {does}, from its next bundle on.")


@app.command("revoke")
def revoke_(device: Annotated[int, typer.Argument(help="The number of the validator.")]) -> None:
    """End a validator's enrolment: its later batches are refused, its earlier ones stay evidence."""
    from datetime import UTC, datetime

    from fare.database.engine import open_engine, write
    from fare.fleet import revoke
    from fare.settings import LedgerSettings

    with write(open_engine(LedgerSettings().database_url)) as session:
        revoke(session, device, datetime.now(UTC))
    print(f"Device {device} is revoked.")


def _card_keys(keys: LedgerKeys, token_key: Path | None, module: str, token: str) -> KitKeys:
    """The masters of k1, or with a token's public key the same wrapped for that token."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from fare.core.errors import OperatorError
    from fare.core.kit import TokenKeys

    if token_key is None:
        return keys.validator_keys
    if not module or not token:
        raise OperatorError("Say with --module and --token which token the validator finds its keys in.")
    try:
        public_key = load_pem_public_key(token_key.read_bytes())
    except (OSError, ValueError):
        public_key = None
    if not isinstance(public_key, RSAPublicKey):
        raise OperatorError(
            f"{token_key} holds no RSA public key: 'mancard validator-token new' makes it, on the validator."
        )
    if public_key.key_size < _MIN_TRANSPORT_BITS:
        # A kit travels: whoever copies it has years to factor the key that k1 is wrapped under.
        raise OperatorError(
            f"{token_key} holds an RSA key of {public_key.key_size} bits, which is too short for a master: "
            "'mancard validator-token new' makes a longer one, on the validator."
        )
    system_id, wrapped = keys.cards.wrapped_validator_keys(public_key)
    return TokenKeys(module, token, wrapped, system_id)
