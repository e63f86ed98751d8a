"""Closing a service day and paying the owners.

`mancard settlement seal DAY` · `adjustments DAY` · `statements DAY` · `pay DAY --out FILE.csv`
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)

DayArgument = Annotated[
    str, typer.Argument(metavar="DAY", help="The service day: 2026-11-22, or Jalali 1405/09/01.")
]


def clock() -> datetime:
    """The time at which a command runs."""
    return datetime.now(UTC)


@app.callback()
def _group() -> None:
    """Closing a service day and paying the owners."""


@app.command()
def seal(day: DayArgument) -> None:
    """Seal a service day that is over; again after late taps."""
    from fare.core.calendar import service_day
    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, write
    from fare.issuing import release_expired_holds
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings
    from fare.settlement import seal_day
    from fare.settlement.days import read_day

    settings = LedgerSettings()
    now = clock()
    wanted = read_day(day)
    if wanted >= service_day(now, settings.zone_info, settings.day_starts_at):
        raise OperatorError(f"The service day {wanted} is not over: seal it when the next one has begun.")
    engine = open_engine(settings.database_url)
    with write(engine) as session:
        report = seal_day(session, wanted, now, LedgerKeys.open(settings.keys_dir))
    released: dict[bytes, int] = {}
    more = True
    while more:
        with write(engine) as session:
            some = release_expired_holds(session, now.astimezone(settings.zone_info))
        released |= some
        more = bool(some)
    print(
        f"{wanted}: {report.rides} rides of {report.media} media sealed, {report.fare_rial:,} rial; "
        f"clearing {report.clearing_rial:,} rial."
    )
    if released:
        print(f"{len(released)} ended tickets gave {sum(released.values()):,} rial back to their wallets.")
    if report.clearing_rial:
        print("Clearing is not zero: 'mancard reconcile audit' names the entry that is wrong.")
        raise typer.Exit(1)


@app.command()
def statements(day: DayArgument) -> None:
    """Issue the owners' statements of a sealed day, and print them."""
    from fare.database.engine import open_engine, write
    from fare.settings import LedgerSettings
    from fare.settlement import make_statements
    from fare.settlement.days import read_day

    with write(open_engine(LedgerSettings().database_url)) as session:
        issued = make_statements(session, read_day(day), clock())
    for line in issued:
        print(
            f"{line.owner_id}  {line.owner_name}: {line.rides} rides, gross {line.gross_rial:,}, "
            f"commission {line.commission_rial:,}, suspense {line.suspense_rial:,}, net {line.net_rial:,}, "
            f"prior days {line.prior_days_rial:,} rial"
            + (f" (adjustments {line.adjustments_rial:,} in the net)" if line.adjustments_rial else "")
        )
    print(f"{len(issued)} statements, {sum(line.payable_rial for line in issued):,} rial to pay.")


@app.command()
def adjustments(
    day: DayArgument,
    card: Annotated[int | None, typer.Option("--card", metavar="SERIAL", help="Of this card alone.")] = None,
    language: Annotated[str, typer.Option("--language", metavar="fa|en", help="Of the reasons.")] = "en",
) -> None:
    """Print what the day's fares were adjusted by after all rides of their riders were known, and why."""
    from typing import get_args

    from fare.collection import adjustments_of_day
    from fare.core.errors import OperatorError
    from fare.core.tariff.explaining import explain
    from fare.core.tariff.naming import TariffLocale
    from fare.database.engine import open_engine, read
    from fare.distribution import tariff_history
    from fare.settings import LedgerSettings
    from fare.settlement.days import read_day

    locale: TariffLocale | None = next((each for each in get_args(TariffLocale) if each == language), None)
    if locale is None:
        raise OperatorError(f"Reasons are not told in '{language}': say --language fa or --language en.")
    with read(open_engine(LedgerSettings().database_url)) as session:
        found = adjustments_of_day(session, read_day(day))
        known = {tariff.version: tariff for _, tariff in tariff_history(session)}
    shown = [
        each for each in found if card is None or (each.medium_kind, each.medium_ref) == ("card", str(card))
    ]
    for each in shown:
        why = explain(known[each.tariff_version], each.steps, locale)
        print(
            f"{each.medium_kind} {each.medium_ref}, ride {each.counter}, line {each.line}: charged"
            f" {each.charged_rial:,}, adjusted by {each.rider_rial:+,} rial ({each.cause}): {why}"
        )
    count = "1 adjustment" if len(shown) == 1 else f"{len(shown)} adjustments"
    print(f"{count}, {sum(each.rider_rial for each in shown):+,} rial.")


@app.command()
def pay(
    day: DayArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.csv", help="Where the bank's file is written.")],
) -> None:
    """Instruct the payments of a day's statements and write the bank's file (mode 0600)."""
    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, write
    from fare.settings import LedgerSettings
    from fare.settlement import instruct_payments, payment_file, queued_payments
    from fare.settlement.days import read_day

    wanted = read_day(day)
    with write(open_engine(LedgerSettings().database_url)) as session:
        instructed = instruct_payments(session, wanted, clock())
        queued = queued_payments(session, wanted)
        try:
            # Inside the transaction: a file that cannot be written leaves nothing instructed.
            out.touch(mode=0o600)
            out.write_text(payment_file(instructed), encoding="utf-8")
        except OSError as fault:
            raise OperatorError(
                f"{out} cannot be written ({fault.strerror}): name a file in a folder that this account owns."
            ) from None
    print(f"{len(instructed)} payments, {sum(p.amount_rial for p in instructed):,} rial: {out}")
    for waiting in queued:
        named = f"{waiting.owner_id}  {waiting.owner_name}"
        print(f"not paid: {named}: {waiting.reason}, {waiting.amount_rial:,} rial")
