"""The ledger's keys: the generations of the cards' keys, and the keys that sign tickets.

`mancard keys list` · `new-generation` · `activate VERSION` · `retire VERSION` · `approve ID` · `import`
`mancard keys channels` · `revoke-channel [KID]` · `roll-channel`

Each change of the cards' keys is called twice: with --as NAME it asks a second person, who agrees with
'approve' or in the console; with --approval ID it is done. Passwords are asked for and never shown.

Revoking a channel key is a safety stop: one command, no question and no second person. It takes the key
folder, creates no value, and phones renew their tickets by themselves, so haste costs little.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from fare.fleet.card_keys import KeyAction
    from fare.keys import ChannelKeys

app = typer.Typer(add_completion=False, no_args_is_help=True)

As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Ask for it under this account, a technician's.")
]
Approval = Annotated[str | None, typer.Option("--approval", metavar="ID", help="Do it: it was approved.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="The number of the generation.")]


Kid = Annotated[int | None, typer.Argument(metavar="[KID]", help="The key; default: the one that signs now.")]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it, for the list; default: this account.")
]


@app.callback()
def _group() -> None:
    """The ledger's keys. Cards' generations are changed by two people; one revokes a channel key."""


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


@app.command()
def channels(
    issuers: Annotated[
        bool, typer.Option("--issuers", help="KID_HEX=PUBLIC_KEY_HEX of those that buses trust.")
    ] = False,
) -> None:
    """List the keys that sign tickets: their states, since when and by whom, and their live tickets."""
    ring = _channels()
    if issuers:  # as 'mancard qr verify --issuer' takes them
        for kid, public in ring.trusted().items():
            print(f"{kid:02x}={public.hex()}")
        return
    print(f"{'kid':>3}  {'state':8}  {'since (UTC)':16}  {'live tickets':>12}  by")
    for key in ring.roster.keys:
        change, live = key.changes[-1], _live_tickets(key.kid)
        count = "?" if live is None else f"{sum(live):,}"
        print(f"{key.kid:>3}  {key.state:8}  {change.at:%Y-%m-%d %H:%M}  {count:>12}  {change.by}")
    if ring.roster.standby is None:
        print("All key ids were used: the key that signs now is the last one, and cannot be revoked.")


@app.command("revoke-channel")
def revoke_channel(kid: Kid = None, by: By = None) -> None:
    """Believe a key that signs tickets no more, at once. Honest riders get new tickets by themselves."""
    from datetime import UTC, datetime

    now, ring = datetime.now(UTC), _channels()
    chosen = _chosen(ring, now) if kid is None else kid
    done = ring.revoke(chosen, by or _account(), now)
    change = done.ended.changes[-1]
    print(f"Revoked: channel key {chosen}, {change.at:%Y-%m-%d %H:%M} UTC by {change.by}. It is destroyed.")
    print(f"Signs now: key {done.signs_now}. {_standing_by(done.stands_by)}")
    _tell_tickets(chosen)
    print(f"Buses refuse key {chosen} from their next sync on, and know key {done.signs_now} already.")
    print("A ledger that runs has seen this: restart nothing.")


@app.command("roll-channel")
def roll_channel(by: By = None) -> None:
    """Let the standby key sign from now on. Tickets of the key before stay good until they expire."""
    from datetime import UTC, datetime

    done = _channels().roll(by or _account(), datetime.now(UTC))
    print(f"Signs now: key {done.signs_now}. {_standing_by(done.stands_by)}")
    print(f"Key {done.ended.kid} retires: its tickets are good until they expire, 72 hours at most.")
    print(f"End it then with 'mancard keys revoke-channel {done.ended.kid}'.")


def _tell_tickets(kid: int) -> None:
    """What becomes of the tickets that a revoked key signed."""
    live = _live_tickets(kid)
    if live is None:
        print(f"How many live tickets key {kid} signed is not known: the database cannot be read now.")
    else:
        print(f"Live tickets that key {kid} signed: {live[0]:,} on phones, {live[1]:,} on paper.")
    print("Phones get new tickets by themselves when they are online; the money held for them goes along.")
    if live is None or live[1]:
        print("Paper cannot: it is refused from now on, so exchange it at a counter.")


def _channels() -> ChannelKeys:
    """The ring of this ledger. Raises OperatorError where there is none: a new one would stop nothing."""
    from fare.core.errors import OperatorError
    from fare.keys import LedgerKeys, has_keys
    from fare.settings import LedgerSettings

    folder = LedgerSettings().keys_dir
    if not has_keys(folder):
        raise OperatorError(
            f"There are no keys of a ledger in {folder}: set MANCARD_STATE_DIR to the ledger's state folder."
        )
    return LedgerKeys.open(folder).channels


def _chosen(ring: ChannelKeys, now: datetime) -> int:
    """The key that signs now. Raises OperatorError soon after a revocation: the call may be a repeat."""
    from fare.core.errors import OperatorError
    from fare.keys import ChannelState

    active = ring.roster.active.kid
    for key in ring.roster.keys:
        last = key.changes[-1]
        if last.state is ChannelState.REVOKED and now - last.at < _SOON:
            raise OperatorError(
                f"Channel key {key.kid} was revoked already at {last.at:%Y-%m-%d %H:%M} UTC by {last.by}, and"
                f" key {active} signs now. Should that one go too: 'mancard keys revoke-channel {active}'."
            )
    return active


def _standing_by(kid: int | None) -> str:
    if kid is None:
        return "No key stands by: all key ids were used, and this one cannot be revoked."
    return f"Key {kid} stands by and goes out with the next sync."


def _account() -> str:
    """Who runs this, as the machine knows them: behind sudo, the person who called it."""
    import getpass
    import os
    import socket

    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def _live_tickets(kid: int) -> tuple[int, int] | None:
    """Live tickets that this key signed, on phones and on paper; None when the database cannot be read."""
    from datetime import UTC, datetime

    from fare.core.errors import OperatorError
    from fare.database.engine import open_engine, read
    from fare.issuing import TicketMedium, live_tickets_signed_by
    from fare.settings import LedgerSettings

    now = datetime.now(UTC)
    try:
        with read(open_engine(LedgerSettings().database_url)) as session:
            phones = live_tickets_signed_by(session, kid, now, TicketMedium.PHONE)
            return phones, live_tickets_signed_by(session, kid, now) - phones
    except OperatorError:
        return None


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


_SOON: Final = timedelta(hours=24)
"""Within it every bus has synced; a second revocation by mistake would leave them no key they know."""
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
