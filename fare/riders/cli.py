"""Riders at a counter: their phones, and tickets on paper.

`mancard rider find MOBILE` · `confirm-phone MOBILE --by STAFF` · `report-lost MOBILE --by STAFF` ·
`paper COUNT --terminal T --payment REFERENCE --by STAFF [--vehicle V] [--out FOLDER]`
`mancard rider check-top-ups`, from cron
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from fare.issuing import PaperTicketIssued
    from fare.staff import Right

app = typer.Typer(add_completion=False, no_args_is_help=True)

Mobile = Annotated[str, typer.Argument(metavar="MOBILE", help="The rider's mobile number, 09…")]
By = Annotated[str, typer.Option("--by", metavar="STAFF", help="The account of who looked at the rider.")]


def clock() -> datetime:
    """The time at which a command runs."""
    return datetime.now(UTC)


@app.callback()
def _group() -> None:
    """Riders at a counter: their phones, and tickets on paper."""


@app.command()
def find(mobile: Mobile) -> None:
    """Show a rider's money and phones, by mobile number. Where they rode is not shown."""
    from fare.database.engine import open_engine, read
    from fare.issuing import PhoneStatus, phone_account, phones_of, ticket_policy, wallet_balance
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings, now = LedgerSettings(), clock()
    zone = f"{settings.zone} time"
    revoked = LedgerKeys.open(settings.keys_dir).channels.revoked()
    with read(open_engine(settings.database_url)) as session:
        wallet_id = _wallet(session, mobile)
        phones = phones_of(session, wallet_id)
        print(f"wallet {wallet_id}: {wallet_balance(session, wallet_id):,} rial free")
        for phone in phones:
            vouched = f"confirmed by {phone.confirmed_by}" if phone.confirmed else "not confirmed"
            at = phone.enrolled_at.astimezone(settings.zone_info)
            print(f"phone {phone.phone_id}: {phone.status}, {vouched}, enrolled {at:%Y-%m-%d %H:%M} {zone}")
            if phone.status is not PhoneStatus.LIVE:
                continue
            policy = ticket_policy(session, settings, now)
            account = phone_account(session, policy, phone.phone_id, now, revoked)
            held = f"  {account.balance_rial:,} rial to hold, {account.held_rial:,} rial held"
            if account.ticket is None:
                print(f"{held}, no ticket ({account.not_issued or 'one is due'})")
            else:
                until = account.ticket.expires_at.astimezone(settings.zone_info)
                print(
                    f"{held}, ticket {account.ticket.cti.hex()} until {until:%Y-%m-%d %H:%M} {zone}: "
                    f"{account.ticket.rides_taken_in} of {account.ticket.max_taps} rides taken in"
                )


@app.command("confirm-phone")
def confirm_phone_(mobile: Mobile, by: By) -> None:
    """Vouch for a rider's newest phone, after a look at their document: its day limit ends."""
    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, write
    from fare.issuing import PhoneStatus, by_counter, confirm_phone, phones_of
    from fare.settings import LedgerSettings
    from fare.staff import Right

    with write(open_engine(LedgerSettings().database_url)) as session:
        who = _staff(session, by, Right.ISSUE_MEDIA)
        live = [p for p in phones_of(session, _wallet(session, mobile)) if p.status is PhoneStatus.LIVE]
        if not live or not confirm_phone(session, live[0].phone_id, by_counter(who), clock()):
            raise OperatorError("This rider has no live phone: let them enrol it first, on the rider's page.")
    if live[0].confirmed:
        print(f"Phone {live[0].phone_id} was confirmed before, by {live[0].confirmed_by}.")
    else:
        print(f"Phone {live[0].phone_id} is confirmed: it may hold as many rides as any other.")


@app.command("report-lost")
def report_lost(mobile: Mobile, by: By) -> None:
    """Deny the tickets of a rider's phone at once; the rider enrols the next phone on the rider's page."""
    from fare.database.engine import open_engine, write
    from fare.issuing import phones_of, report_phone_lost
    from fare.riders.sessions import close_phone_sessions
    from fare.settings import LedgerSettings
    from fare.staff import Right

    with write(open_engine(LedgerSettings().database_url)) as session:
        _staff(session, by, Right.DENY_MEDIA)
        wallet_id = _wallet(session, mobile)
        denied = report_phone_lost(session, wallet_id, clock())
        for phone in phones_of(session, wallet_id):
            close_phone_sessions(session, phone.phone_id)
    print(f"Tickets denied: {len(denied)}. Buses refuse them from their next sync on.")
    print("The next phone gets a day's rides until 'mancard rider confirm-phone' vouches for it.")


@app.command()
def paper(
    count: Annotated[int, typer.Argument(min=1, help="How many tickets; each rides once, within 72 hours.")],
    terminal: Annotated[str, typer.Option(help="The PSP's name of the terminal that took the money.")],
    payment: Annotated[str, typer.Option(help="That payment's reference: again, it prints the same ones.")],
    by: By,
    vehicle: Annotated[str | None, typer.Option(help="The only bus; without it they need a line.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write an SVG for each; printed as text otherwise.")
    ] = None,
) -> None:
    """Sell paper tickets that were paid at a counter's terminal, at the highest fare."""
    from fare.database.engine import open_engine, write
    from fare.issuing import IssuingRefusal, IssuingRefused, issue_paper_tickets, ticket_policy
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings
    from fare.staff import Right

    settings = LedgerSettings()
    keys = LedgerKeys.open(settings.keys_dir)
    now = clock().astimezone(settings.zone_info)
    with write(open_engine(settings.database_url)) as session:
        _staff(session, by, Right.ISSUE_MEDIA)
        if vehicle is not None and vehicle not in _vehicles(session, now):
            raise IssuingRefused(IssuingRefusal.UNKNOWN_VEHICLE)
        issued = issue_paper_tickets(
            session,
            keys,
            ticket_policy(session, settings, now),
            count=count,
            vehicle=vehicle,
            terminal=terminal,
            psp_reference=payment,
            now=now,
        )
    # After the commit: a printer that fails prints again, by the same payment.
    if out is None:
        for ticket in issued:
            print(ticket.text)
        return
    _write_codes(out, issued)
    until = issued[0].expires_at.astimezone(settings.zone_info)
    print(f"Tickets in {out}: {len(issued)}, good until {until:%Y-%m-%d %H:%M}, {settings.zone} time.")


@app.command("check-top-ups")
def check_top_ups_() -> None:
    """Ask the payment gateway for the open top-ups of three days, and post what was paid. For cron.

    Exit status 1 when the gateway did not answer or a payment could not be posted.
    """
    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine
    from fare.issuing.checking import check_top_ups, payment_gateway
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    gateway = payment_gateway(settings, clock)
    if gateway is None:
        raise OperatorError(
            "No payment gateway is set up: MANCARD_PAYMENT_GATEWAY names it, as at the server."
        )
    keys, now = LedgerKeys.open(settings.keys_dir), clock().astimezone(settings.zone_info)
    found = check_top_ups(open_engine(settings.database_url), keys, gateway, now)
    print(f"Top-ups paid: {found.paid:,}, failed: {found.failed:,}, still open: {found.still_open:,}.")
    if found.unanswered:
        print(
            f"The gateway did not answer for {found.unanswered:,} of them: they are asked for the next time."
        )
    for told in found.refused:
        print(f"For finance: {told}")
    if found.unanswered or found.refused:
        raise typer.Exit(1)


def _write_codes(out: Path, issued: Sequence[PaperTicketIssued]) -> None:
    from fare.core.errors import OperatorError
    from fare.qr.rendering import as_svg, draw

    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for ticket in issued:
            (out / f"{ticket.cti.hex()}.svg").write_text(as_svg(draw(ticket.text)), encoding="utf-8")
    except OSError as fault:
        raise OperatorError(
            f"{out} cannot be written ({fault.strerror}): name another folder and repeat the command, which"
            " sells nothing twice."
        ) from None


def _wallet(session: Session, mobile: str) -> str:
    from fare.core.errors import OperatorError
    from fare.core.identifiers import InvalidIdentifier
    from fare.riders.wallets import rider_with_mobile, wallet_of

    try:
        rider_id = rider_with_mobile(session, mobile)
    except InvalidIdentifier as fault:
        raise OperatorError(str(fault)) from None
    wallet_id = None if rider_id is None else wallet_of(session, rider_id)
    if wallet_id is None:
        raise OperatorError("Nobody has enrolled with this number: check its digits.")
    return wallet_id


def _vehicles(session: Session, now: datetime) -> set[str]:
    from fare.fleet import configurations

    return {configuration.vehicle for configuration in configurations(session, now).values()}


def _staff(session: Session, staff_id: str, right: Right) -> str:
    """The account's name, if this right is theirs. Raises OperatorError."""
    from fare.core.errors import OperatorError
    from fare.staff import Role, may, member

    who = member(session, staff_id)
    if who is None or not who.active:
        raise OperatorError(f"There is no open account {staff_id}: 'mancard staff list' shows who has one.")
    if not may(who.role, right):
        allowed = " or ".join(role for role in Role if may(role, right))
        raise OperatorError(f"The account {staff_id} may not do this: name one of the role {allowed}.")
    return who.staff_id
