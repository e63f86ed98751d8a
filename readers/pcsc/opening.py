"""From a reader's name to an open reader with its profile; what a person must mend is an OperatorError.

It speaks to no reader itself: a worker does.
"""

from __future__ import annotations

from fare.core.errors import OperatorError
from readers.pcsc.profiles import Profile, load_profiles, profile_of
from readers.pcsc.watched import SeenReader, ServiceFault, WatchedReader
from readers.ports import ReaderFault


def open_reader(name: str) -> WatchedReader:
    """A reader a person named, by its full name or the beginning of it: it must be there now.

    Raises OperatorError without a service, without that reader, or for a profile that cannot be read.
    """
    return open_with_profile(name)[0]


def open_with_profile(name: str) -> tuple[WatchedReader, Profile]:
    """The same, and the profile of this model (a plain one for a model without)."""
    profiles = load_profiles()
    avoid = tuple(pair for profile in profiles for pair in profile.contact_slots)
    with WatchedReader(name, avoid=avoid) as looking:
        readers = survey(looking)
        found = looking.choose_from([reader.name for reader in readers])
    if found is None:
        known = ", ".join(f"'{reader.name}'" for reader in readers) or "none"
        if not name:
            raise OperatorError("There is no PC/SC reader on this machine: plug one in.")
        raise OperatorError(
            f"There is no PC/SC reader '{name}' (there is: {known}): plug it in or give another --reader."
        )
    profile = profile_of(found, profiles)
    return WatchedReader(
        name,
        avoid=avoid,
        card_lost=profile.card_lost,
        setup=(*profile.setup, *profile.lamps.idle),
        apdu_timeout_s=profile.apdu_timeout_ms / 1000,
    ), profile


def reader_names() -> list[str]:
    """All PC/SC readers of this machine. Raises OperatorError without a service."""
    with WatchedReader("") as looking:
        return [reader.name for reader in survey(looking)]


def survey(reader: WatchedReader) -> list[SeenReader]:
    """All readers now. Raises OperatorError without a service, or when it does not answer."""
    try:
        return reader.survey()
    except ServiceFault as fault:
        raise OperatorError(f"{str(fault).rstrip('.')}, or use a virtual reader (virtual:FOLDER).") from fault
    except ReaderFault as fault:
        raise OperatorError(
            f"The PC/SC service does not answer ({fault}): restart it with 'systemctl restart pcscd'."
        ) from fault
