"""Commands for cards: issue virtual ones, load, deny, list. None has a reader of its own.

A virtual card is reached through the entry-point group `mancard.readers`, so this package imports no
hardware.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Cards: issue, load, deny, list.")

Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The number of the card.")]


@app.command("list")
def list_() -> None:
    """List the cards: number, chip, status, newest version, and what it may spend in all (rial)."""
    from fare.database.engine import open_engine, read
    from fare.issuing import cards
    from fare.settings import LedgerSettings

    with read(open_engine(LedgerSettings().database_url)) as session:
        for card in cards(session):
            funds_rial = card.loaded_rial - card.withdrawn_rial
            print(
                f"{card.serial:>10}  {card.uid.hex()}  {card.status:8}  v{card.version:<5}"
                f"  {funds_rial:>12,}  until {card.expires_on}"
            )


@app.command()
def issue(
    folder: Annotated[Path, typer.Option("--virtual", metavar="FOLDER", help="Where the card images are.")],
    count: Annotated[int, typer.Option(min=1, help="How many of its blank cards, at most.")] = 1,
    category: Annotated[int, typer.Option(min=0, max=255, help="The rider category.")] = 0,
) -> None:
    """Personalise blank virtual cards over APDUs. Make blanks with 'mancard emulator new'."""
    from datetime import datetime
    from importlib.metadata import entry_points

    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    if not folder.is_dir():
        raise OperatorError(
            f"There is no folder {folder}: make a blank card with 'mancard emulator new {folder} NAME'."
        )
    settings = LedgerSettings()
    engine, keys = open_engine(settings.database_url), LedgerKeys.open(settings.keys_dir)
    (reader_type,) = entry_points(group="mancard.readers", name="in_process")
    tray: Any = reader_type.load()(folder)
    issued = 0
    for card in tray.cards():
        if issued == count:
            break
        now = datetime.now(settings.zone_info)
        serial = _issue_one(tray, card.name, engine, keys, category, settings.issuer, now)
        if serial is not None:
            issued += 1
            print(f"{card.name} is card {serial}.")
    if not issued:
        raise OperatorError(
            f"There is no blank card in {folder}: make one with 'mancard emulator new {folder} NAME'."
        )


def _issue_one(
    tray: Any, name: str, engine: Any, keys: Any, category: int, issuer: int, now: Any
) -> int | None:
    """Lay one image on the reader and issue it; None for a card that is in use already."""
    from fare.core.desfire.application import read_uid, run
    from fare.core.desfire.errors import CardFault
    from fare.core.errors import OperatorError
    from fare.database.engine import read, write
    from fare.issuing import IssuingRefusal, IssuingRefused, card_written, personalisation, register_card

    tray.place(name)
    link = tray.wait_for_card(1.0)
    try:
        uid = run(read_uid(), link.transmit)
        try:
            # Committed before the card is touched: one torn below goes on from here the next time.
            with write(engine) as session:
                serial = register_card(
                    session, keys, uid=uid, now=now, issuer=issuer, rider_category=category
                )
        except IssuingRefused as refused:
            if refused.reason is IssuingRefusal.ALREADY_ISSUED:
                return None
            raise
        with read(engine) as session:
            conversation = personalisation(session, keys, serial)
        run(conversation, link.transmit)
        with write(engine) as session:
            card_written(session, serial, now.date())
        return serial
    except CardFault as fault:
        raise OperatorError(f"The card '{name}' was not issued. {fault}") from None
    finally:
        link.close()
        tray.remove()


@app.command()
def load(
    serial: Serial,
    amount: Annotated[str, typer.Argument(metavar="RIAL", help="How much, in rial.")],
    terminal: Annotated[str, typer.Option(help="The PSP terminal that took the money.")] = "issuing-desk",
    reference: Annotated[
        str | None, typer.Option(help="The PSP's reference; the order's number if none.")
    ] = None,
) -> None:
    """Load a card with money that was paid. The next bus the card meets writes it onto the card."""
    from datetime import datetime

    from fare.core.errors import OperatorError
    from fare.core.identifiers import InvalidIdentifier, parse_card_serial
    from fare.core.money import normalise_digits
    from fare.database.engine import open_engine, write
    from fare.issuing import Purse, confirm_paid, request_load
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    digits = normalise_digits(amount).replace(",", "").replace("٬", "")
    try:
        ref = str(parse_card_serial(serial))
    except InvalidIdentifier as fault:
        raise OperatorError(str(fault)) from None
    if not digits.isascii() or not digits.isdigit():
        raise OperatorError("The amount is a whole number of rial: type its digits only.")
    settings = LedgerSettings()
    keys = LedgerKeys.open(settings.keys_dir)
    now = datetime.now(settings.zone_info)
    with write(open_engine(settings.database_url)) as session:
        order_id = request_load(session, Purse.CARD, ref, int(digits), "desk", terminal, now)
        confirm_paid(session, keys, order_id, reference or order_id, now)
    print(f"Order {order_id}: {int(digits):,} rial are signed for card {ref}.")


@app.command()
def deny(serial: Serial) -> None:
    """Put a card on the denylist. Buses refuse it once they have the next bundle."""
    from fare.core.errors import OperatorError
    from fare.core.identifiers import InvalidIdentifier, parse_card_serial
    from fare.database.engine import open_engine, write
    from fare.issuing import deny_card
    from fare.settings import LedgerSettings

    try:
        number = parse_card_serial(serial)
    except InvalidIdentifier as fault:
        raise OperatorError(str(fault)) from None
    with write(open_engine(LedgerSettings().database_url)) as session:
        deny_card(session, number)
    print(f"Card {number} is on the denylist.")
