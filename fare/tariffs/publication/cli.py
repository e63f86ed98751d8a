"""`mancard tariff publish`: one person asks with a folder, a second allows, and the tariff is in the bundle.

Called with a folder and a start it asks; with --approve ID the second person sees the same and allows it. At
a terminal both may do it in one go. Passwords are asked for and never shown.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fare.core.errors import OperatorError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fare.core.tariff.loading import TariffFault
    from fare.core.tariff.model import Tariff
    from fare.core.tariff.naming import TariffLocale
    from fare.settings import LedgerSettings
    from fare.tariffs.effects import Effect
    from fare.tariffs.publishing import PublicationRequest

MOST_SHOWN: Final = 200
"""Warnings, or sentences of one topic."""
_REFUSED: Final = {
    "unknown": "nobody asked for it",
    "no_right": "the second person is somebody of finance",
    "same_person": "who asked for it cannot be the second person too",
    "other_payload": "the request has changed since: look at it anew",
    "already_approved": "somebody already did",
}


def publish_command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="The tariff to ask for: a folder or a zip.")
    ] = None,
    starts: Annotated[
        str | None,
        typer.Option("--from", metavar="ISO8601", help="When it starts, such as 2027-03-21T00:00:00+03:30."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", "--as", metavar="NAME", help="Your account, one of finance.")
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="ID", help="Allow, as the second person, what was asked."),
    ] = None,
    accept_warnings: Annotated[
        bool, typer.Option("--accept-warnings", help="Ask although the check has warnings.")
    ] = False,
    days: Annotated[
        int, typer.Option("--days", min=0, max=366, help="Compare on the rides of so many days; 0: do not.")
    ] = 30,
    language: Annotated[
        str, typer.Option("--language", metavar="fa|en", help="In which language the tariff is told.")
    ] = "en",
) -> None:
    """Ask a second person to publish a tariff, or allow it as that person: then buses get it."""
    from fare.database.engine import open_engine
    from fare.settings import LedgerSettings

    if language not in ("fa", "en"):
        raise OperatorError(f"There is no language {language!r} here: choose fa or en.")
    settings = LedgerSettings()
    engine = open_engine(settings.database_url)
    locale: TariffLocale = "fa" if language == "fa" else "en"
    if approve is not None and folder is None and starts is None:
        _allow(engine, approve, _name(by, "Your name"), locale)
    elif approve is None and folder is not None and starts is not None:
        starts_at = _instant(starts)
        asked = _ask(engine, settings, folder, starts_at, by, accept_warnings, days, locale)
        _second_person(engine, asked)
    else:
        raise OperatorError(
            "Ask with FOLDER --from ISO8601, or allow what was asked for with --approve ID: one of the two."
        )


def _ask(
    engine: Engine,
    settings: LedgerSettings,
    folder: Path,
    starts_at: datetime,
    by: str | None,
    accept_warnings: bool,
    days: int,
    locale: TariffLocale,
) -> PublicationRequest:
    from fare.database.engine import read, write
    from fare.distribution import check_publication
    from fare.tariffs.publishing import fitted, next_version, request_publication

    tariff = _checked(folder, accept_warnings, locale)
    with read(engine) as session:
        ready = fitted(session, settings, tariff, next_version(session))
        check_publication(session, ready, starts_at, _now())
    effect = _effect(engine, settings, ready, days)
    name = _name(by, "Your name")
    _sign_in(engine, name)
    with write(engine) as session:
        asked = request_publication(
            session,
            settings,
            tariff,
            starts_at,
            name,
            _now(),
            effect=None if effect is None else effect.encode(),
        )
    _show(asked, locale)
    return asked


def _checked(folder: Path, accept_warnings: bool, locale: TariffLocale) -> Tariff:
    """The tariff of the folder; with warnings only if somebody said that they are meant."""
    from fare.core.tariff.loading import TariffFaults, load_tariff
    from fare.tariffs.quoting import refusals_told
    from fare.tariffs.source import read_tariff_files

    with refusals_told(locale):
        loaded = load_tariff(read_tariff_files(folder))
        if loaded.tariff is None:
            raise TariffFaults(loaded.faults)
    if loaded.warnings and not accept_warnings:
        raise OperatorError(_warned(loaded.warnings, locale))
    return loaded.tariff


def _warned(warnings: tuple[TariffFault, ...], locale: TariffLocale) -> str:
    from fare.core.tariff.loading.saying import say, told

    what = say("1 warning") if len(warnings) == 1 else say("{count:,} warnings", count=len(warnings))
    heading = say("The tariff has {warnings}: mend them, or add --accept-warnings.", warnings=what)
    return "\n  ".join([told(heading, locale), *(each.told(locale) for each in warnings[:MOST_SHOWN])])


def _effect(engine: Engine, settings: LedgerSettings, ready: Tariff, days: int) -> Effect | None:
    """What it would have done to the rides of the last days; None where there is nothing to compare."""
    from fare.core.calendar import service_day
    from fare.database.engine import read
    from fare.distribution import NoTariffInForce, current_tariff
    from fare.tariffs.effects import effect_on
    from fare.tariffs.publishing import with_network
    from fare.tariffs.real_taps import cases_from_register

    if days == 0:
        return None
    today = service_day(_now(), settings.zone_info, settings.day_starts_at)
    with read(engine) as session:
        try:
            old = with_network(session, current_tariff(session, _now()))
        except NoTariffInForce:
            return None
        real = cases_from_register(session, ready, today - timedelta(days=days), today)
    return effect_on(old, ready, real) if real.cases else None


def _allow(engine: Engine, approval_id: str, name: str, locale: TariffLocale) -> None:
    from fare.database.engine import read
    from fare.tariffs.publishing import publication_request

    with read(engine) as session:
        asked = publication_request(session, approval_id)
    if asked is None:
        raise OperatorError(f"Nobody asked for a tariff under the number {approval_id}.")
    _show(asked, locale)
    _give(engine, asked, name)


def _second_person(engine: Engine, asked: PublicationRequest) -> None:
    """Who asked may have the second person beside them; else these allow it later, here or in the console."""
    if sys.stdin.isatty():
        name = str(typer.prompt("Name of the second person (Enter: later)", default="", show_default=False))
        if name:
            _give(engine, asked, name)
            return
    print("Nothing is published yet. A second person allows it in the console, or with")
    print(f"  mancard tariff publish --approve {asked.approval_id} --as NAME")


def _give(engine: Engine, asked: PublicationRequest, name: str) -> None:
    from fare.database.engine import write
    from fare.tariffs.publishing import PublicationRequest, approve_and_publish

    _sign_in(engine, name)
    with write(engine) as session:
        done = approve_and_publish(session, asked.approval_id, asked.looked_at, name, _now())
    if not isinstance(done, PublicationRequest):
        raise OperatorError(f"{name} cannot approve this: {_REFUSED[done.value]}.")
    starts = done.starts_at.astimezone(done.tariff.zone)
    print(f"Published: version {done.tariff.version}, in force from {starts.isoformat()}.")
    print("Buses get it with their next sync, and switch to it by themselves.")


def _show(asked: PublicationRequest, locale: TariffLocale) -> None:
    """Exactly what is to be approved: version, start, digest, the tariff in sentences, its effect."""
    from fare.core.tariff.sentences import abridged
    from fare.tariffs.effects import decode

    print(f"{asked.requested_by} asks to publish tariff version {asked.tariff.version}, {asked.tariff.name}.")
    print(f"  number    {asked.approval_id}")
    print(f"  starts    {asked.starts_at.astimezone(asked.tariff.zone).isoformat()}")
    print(f"  SHA-256   {asked.sha256.hex()}")
    for sentence in abridged(asked.tariff, locale, "rial", MOST_SHOWN):
        print(f"  - {sentence.text}")
    if asked.effect is None:
        print("  It was compared with no rides.")
        return
    effect = decode(asked.effect)
    total = effect.total
    print(
        f"  On {_count(effect.rides, 'ride')} of {effect.since} to {effect.until}: "
        f"{_count(total.more, 'rider')} would pay more, {total.less:,} less, {total.same:,} the same; "
        f"revenue {total.difference:+,} rial."
    )
    if effect.sampled:
        print(f"  There were {effect.in_all:,} rides: these are all those of a sample of the riders.")
    if effect.not_compared:
        print(f"  {_count(effect.not_compared, 'rider')} could not be compared: {effect.why_not}")


def _name(given: str | None, question: str) -> str:
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise OperatorError("Nobody is there to ask for a name: give it with --by NAME.")
    return str(typer.prompt(question))


def _sign_in(engine: Engine, name: str) -> None:
    """Whoever types is who they say; no transaction is open while they type. Raises OperatorError."""
    from fare.database.engine import read
    from fare.staff import member, password_hash_of, verify_password

    if sys.stdin.isatty():
        password = str(typer.prompt(f"Password of {name}", hide_input=True))
    else:
        password = sys.stdin.readline().rstrip("\n")
    with read(engine) as session:
        who, stored = member(session, name), password_hash_of(session, name)
    if not verify_password(stored, password) or who is None or not who.active:
        raise OperatorError(f"That is not the password of {name}: try again.")


def _instant(text: str) -> datetime:
    """An aware instant. Raises OperatorError."""
    try:
        at = datetime.fromisoformat(text)
        instant = at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        instant = None
    if instant is None:
        raise OperatorError(
            f"{text!r} names no instant: write it with its offset, such as 2027-03-21T00:00:00+03:30."
        )
    return instant


def _now() -> datetime:
    return datetime.now(UTC)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
