"""What every request of one ledger shares. It holds values and no logic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from fare.keys import KeyStore
from fare.settings import LedgerSettings

Clock = Callable[[], datetime]
"""Returns an aware instant."""


@dataclass(frozen=True, slots=True)
class Context:
    """One ledger: its settings, keys, database and clock."""

    settings: LedgerSettings
    keys: KeyStore
    engine: Engine
    clock: Clock
