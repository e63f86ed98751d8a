"""The accounts of employees.

`mancard staff add NAME --role finance` · `list` · `password NAME` · `disable NAME`
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)

Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it this once.")]


@app.callback()
def _group() -> None:
    """The accounts of employees."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[
        str, typer.Option(help="clerk, finance, auditor, operator, owner, technician or administrator.")
    ],
    owner: Annotated[str | None, typer.Option(help="For the role owner: the id of the bus owner.")] = None,
    generate: Generate = False,
) -> None:
    """Add an account. The password is asked for twice and never shown."""
    from datetime import UTC, datetime

    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, write
    from fare.settings import LedgerSettings
    from fare.staff import Role, create_account, hash_password

    if role not in {known.value for known in Role}:
        raise OperatorError(
            f"There is no role {role!r}: choose one of {', '.join(known.value for known in Role)}."
        )
    _check_terminal(generate=generate)
    engine = open_engine(LedgerSettings().database_url)
    password = _new_password(generate=generate)
    digest = hash_password(password)
    with write(engine) as session:
        who = create_account(session, name, Role(role), digest, datetime.now(UTC), owner)
    print(f"{who.staff_id} may sign in as {who.role}.")
    if generate:
        print(f"Password, shown this once: {password}")


@app.command("password")
def password_(
    name: Annotated[str, typer.Argument(help="The account's name.")], generate: Generate = False
) -> None:
    """Give an account another password, and sign it out everywhere."""
    from fare.database.engine import open_engine, write
    from fare.settings import LedgerSettings
    from fare.staff import hash_password, set_password

    _check_terminal(generate=generate)
    engine = open_engine(LedgerSettings().database_url)
    password = _new_password(generate=generate)
    digest = hash_password(password)
    with write(engine) as session:
        set_password(session, name, digest)
    print(f"{name} has another password.")
    if generate:
        print(f"Password, shown this once: {password}")


@app.command("list")
def list_() -> None:
    """List the accounts."""
    from fare.database.engine import open_engine, read
    from fare.settings import LedgerSettings
    from fare.staff import staff

    with read(open_engine(LedgerSettings().database_url)) as session:
        for who in staff(session):
            owner = f"  owner {who.owner_id}" if who.owner_id else ""
            print(f"{who.staff_id:<40}  {who.role:<14}{owner}{'' if who.active else '  disabled'}")


@app.command("disable")
def disable_(name: Annotated[str, typer.Argument(help="The account's name.")]) -> None:
    """Close an account and sign it out everywhere."""
    from fare.database.engine import open_engine, write
    from fare.settings import LedgerSettings
    from fare.staff import disable

    with write(open_engine(LedgerSettings().database_url)) as session:
        disable(session, name)
    print(f"{name} can no longer sign in.")


def _check_terminal(*, generate: bool) -> None:
    from fare.core.errors import OperatorError

    if not generate and not sys.stdin.isatty():
        raise OperatorError("There is no terminal to type a password at: let --generate make one.")


def _new_password(*, generate: bool) -> str:
    from fare.staff import generate_password

    if generate:
        return generate_password()
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
