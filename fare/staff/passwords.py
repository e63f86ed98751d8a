"""Passwords of employees: argon2id, and no more work at a time than the machine has memory for."""

from __future__ import annotations

import secrets
import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from fare.core.errors import OperatorError

MIN_CHARS: Final = 12
MAX_CHARS: Final = 256
# RFC 9106, second recommended option: 64 MiB a hash.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, type=Type.ID)
# Sign-ins wait for each other rather than fill the memory with hashes.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """The argon2id hash to store. Raises `OperatorError` for a password that is too short or too long."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise OperatorError(f"A password has {MIN_CHARS} to {MAX_CHARS} characters: choose another one.")
    with _AT_ONCE:
        return _HASHER.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash. None (no such account) takes as long and is False."""
    if len(password) > MAX_CHARS:
        return False
    try:
        with _AT_ONCE:
            _HASHER.verify(stored or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobodys_hash() -> str:
    """Verified where there is no account, so that the answer takes as long; nobody knows its password."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def generate_password() -> str:
    """A password of 125 random bits, in letters and digits that are hard to confuse, in groups of five."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    drawn = [secrets.choice(letters) for _ in range(25)]
    return "-".join("".join(drawn[start : start + 5]) for start in range(0, 25, 5))
