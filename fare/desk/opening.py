"""Opens the ledger of the settings for work at a desk. It runs no job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from fare.core.desfire.keys import KEY_SIZE
from fare.core.desfire.personalisation import FACTORY_KEY
from fare.core.errors import OperatorError
from fare.database.engine import open_engine
from fare.desk.context import LOCAL, Desk
from fare.keys import KeyStore, LedgerKeys, private_files
from fare.settings import LedgerSettings


def local_desk(settings: LedgerSettings) -> Desk:
    """The desk of whoever may read the ledger's own keys. Raises OperatorError for what cannot be used."""
    keys = LedgerKeys.open(settings.keys_dir)
    return desk_of(settings, keys, open_engine(settings.database_url), lambda: datetime.now(UTC), LOCAL)


def desk_of(
    settings: LedgerSettings, keys: KeyStore, engine: Engine, clock: Callable[[], datetime], by: str
) -> Desk:
    """The desk of somebody who works on an open ledger."""
    return Desk(
        engine=engine,
        keys=keys,
        clock=clock,
        zone=settings.zone_info,
        issuer=settings.issuer,
        day_starts_at=settings.day_starts_at,
        waiting=settings.replacement_wait,
        by=by,
        factory_key=_transport_key(settings.transport_key_file),
    )


def _transport_key(file: Path | None) -> bytes | None:
    if file is None:
        return None
    key = private_files.read(file, _key)
    if key == FACTORY_KEY:  # it would be taken for an agreed one, and protect nothing
        raise OperatorError(
            f"The key file {file} holds the chip maker's public key: leave MANCARD_TRANSPORT_KEY_FILE unset "
            "for chips that came without a transport key."
        )
    return key


def _key(content: bytes) -> bytes:
    key = bytes.fromhex(content.decode("ascii").strip())
    if len(key) != KEY_SIZE:
        raise ValueError("an AES key is 32 hexadecimal digits")
    return key
