"""The validators, buses and owners of the fleet.

`mancard fleet import FILE.csv` · `columns` · `enrol DEVICE --out FOLDER` · `devices` · `revoke DEVICE`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the kit is written.")],
    ledger_url: Annotated[str | None, typer.Option(help="Where the validator reaches the ledger.")] = None,
) -> None:
    """Write the provisioning kit of one validator. Its claim code is good once, for 24 hours."""
    from datetime import UTC, datetime

    from fare.database.engine import open_engine, write
    from fare.fleet import create_device, write_kit
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    keys = LedgerKeys.open(settings.keys_dir)
    with write(open_engine(settings.database_url)) as session:
        # The kit is written first: a code that no file holds would only have to be made again.
        write_kit(
            out,
            device_id=device,
            ledger_url=ledger_url or f"http://{settings.host}:{settings.port}",
            bundle_keys={keys.bundle.kid: keys.bundle.public_bytes},
            claim_code=create_device(session, device, datetime.now(UTC)),
            card_keys=keys.validator_keys,
        )
    print(f"The kit of device {device} is in {out}. Its claim code is good once, for 24 hours.")


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
            print(f"{state.device_id:>8}  {told}")


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
