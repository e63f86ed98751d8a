"""The generations of the cards' keys. Changing them takes two people.

`mancard keys list` · `new-generation` · `activate VERSION` · `retire VERSION` · `approve ID` · `import`

Each change is called twice: with --as NAME it asks a second person, who agrees with 'approve' or in the
console; with --approval ID it is done. Passwords are asked for and never shown.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fare.fleet.card_keys import KeyAction

app = typer.Typer(add_completion=False, no_args_is_help=True)

As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Ask for it under this account, a technician's.")
]
Approval = Annotated[str | None, typer.Option("--approval", metavar="ID", help="Do it: it was approved.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="The number of the generation.")]


@app.callback()
def _group() -> None:
    """The generations of the cards' keys. Changing them takes two people."""


@app.command("list")
def list_() -> None:
    """List the generations, the cards that need each, and the devices whose kit lacks it."""
    from fare.database.engine import open_engine, read
    from fare.fleet.card_keys import overview
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    masters = LedgerKeys.open(settings.keys_dir).cards
    print(f"{'generation':10}  {'state':8}  {'keys of cards':13}  {'proofs of cards':14}")
    with read(open_engine(settings.database_url)) as session:
        for one in overview(session, masters):
            lacking = f"  not on device {', '.join(map(str, one.lacking))}" if one.lacking else ""
            print(f"{one.version:>10}  {one.state:8}  {one.use.opened:>13,}  {one.use.proven:>14,}{lacking}")


@app.command("new-generation")
def new_generation(as_: As = None, approval: Approval = None) -> None:
    """Make a generation of masters. No card has it until it is activated."""
    from fare.fleet.card_keys import KeyAction

    _change(KeyAction.NEW_GENERATION, None, as_, approval)


@app.command()
def activate(
    version: Version,
    as_: As = None,
    approval: Approval = None,
    force: Annotated[bool, typer.Option("--force", help="Leave behind the devices that lack it.")] = False,
) -> None:
    """Let new cards get a staged generation, once every device has it."""
    from fare.fleet.card_keys import KeyAction

    _change(KeyAction.ACTIVATE, version, as_, approval, force=force)


@app.command()
def retire(version: Version, as_: As = None, approval: Approval = None) -> None:
    """Destroy a generation that no active card has any more. Proofs of its cards stay checkable."""
    from fare.fleet.card_keys import KeyAction

    _change(KeyAction.RETIRE, version, as_, approval)


@app.command()
def approve(
    approval: Annotated[str, typer.Argument(metavar="ID", help="The number of the request.")],
    as_: Annotated[
        str, typer.Option("--as", metavar="NAME", help="The account of the second person, of finance.")
    ],
) -> None:
    """Agree, as the second person, to a change of keys that somebody asked for."""
    from datetime import UTC, datetime

    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, read, write
    from fare.fleet.card_keys import requested_change
    from fare.settings import LedgerSettings
    from fare.staff import approve as give

    engine = open_engine(LedgerSettings().database_url)
    with read(engine) as session:
        asked, change = requested_change(session, approval)
    print(f"{asked.requested_by} asks for this change of card keys: {change}.")
    _sign_in(engine, as_)
    with write(engine) as session:
        refusal = give(session, approval, asked.payload_sha256, as_, datetime.now(UTC))
    if refusal is not None:
        raise OperatorError(f"{as_} cannot approve this: {_REFUSED[refusal.value]}.")
    print(f"Approved. It is done with --approval {approval}.")


@app.command("import")
def import_() -> None:
    """Move the keys from their files into the token that MANCARD_KEYS=pkcs11 names."""
    from fare.core.errors import OperatorError
    from fare.keys import move_to_token
    from fare.settings import KeyPlace, KeySettings, LedgerSettings

    settings = KeySettings()
    if settings.store is not KeyPlace.PKCS11:
        raise OperatorError("No token is named: set MANCARD_KEYS=pkcs11 and the settings beside it.")
    files = move_to_token(LedgerSettings().keys_dir, settings)
    print(f"The keys are in the token {settings.token} and every one was tried there.")
    print("These files are still secret. Back the token up, then destroy them:")
    for file in files:
        print(f"  shred -u {file}")


def _change(
    action: KeyAction, version: int | None, as_: str | None, approval: str | None, *, force: bool = False
) -> None:
    """Ask for a change, or do it."""
    from datetime import UTC, datetime

    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, read, write
    from fare.fleet.card_keys import KeyChange, apply_change, check_change, request_change
    from fare.keys import LedgerKeys
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    engine, masters = open_engine(settings.database_url), LedgerKeys.open(settings.keys_dir).cards
    change = KeyChange(action, masters.next_version if version is None else version, force)
    if approval is not None and as_ is None:
        with write(engine) as session:
            apply_change(session, masters, change, approval, datetime.now(UTC))
        print(f"Done: {change}. {_NEXT[change.action.value]}")
    elif as_ is not None and approval is None:
        with read(engine) as session:
            check_change(session, change)  # nobody is asked for what would be refused
        _sign_in(engine, as_)
        with write(engine) as session:
            asked = request_change(session, change, as_, datetime.now(UTC))
        print(f"Asked for: {change}. A second person agrees in the console, or with")
        print(f"  mancard keys approve {asked.approval_id} --as NAME")
    else:
        raise OperatorError("Ask with --as NAME, or do what was approved with --approval ID: one of the two.")


def _sign_in(engine: Engine, name: str) -> None:
    """Whoever types is who they say; no transaction is open while they type. Raises OperatorError."""
    from fare.core.errors import OperatorError
    from fare.database.engine import read
    from fare.staff import member, password_hash_of, verify_password

    if sys.stdin.isatty():
        password = typer.prompt(f"Password of {name}", hide_input=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    with read(engine) as session:
        who, stored = member(session, name), password_hash_of(session, name)
    if not verify_password(stored, password) or who is None or not who.active:
        raise OperatorError(f"That is not the password of {name}: try again.")


_REFUSED: Final = {
    "unknown": "nobody asked for it",
    "no_right": "the second person is somebody of finance",
    "same_person": "who asked for it cannot be the second person too",
    "other_payload": "the request has changed since: look at it anew",
    "already_approved": "somebody already did",
}
_NEXT: Final = {
    "new_generation": "Bring every validator its card keys ('mancard fleet card-keys'), then activate it.",
    "activate": "New cards get it from now on; cards in use get it when they are rolled.",
    "retire": "Validators drop it with their next card keys.",
}
