"""Files that one account alone may read: written whole or not at all. It never prints what stands in one.

Every fault is an OperatorError that names the file and says what to do.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

from fare.core.errors import OperatorError

MAX_FILE_BYTES: Final = 128 * 1024
_OTHERS: Final = 0o077

T = TypeVar("T")


def prepare_folder(folder: Path) -> None:
    """Make the folder, mode 0700, unless it is there; raises OperatorError when others may enter it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as fault:
        raise OperatorError(
            f"The key folder {folder} cannot be used ({fault.strerror}): check the path and its rights."
        ) from None
    if mode & _OTHERS:
        raise OperatorError(f"The key folder {folder} is open to other accounts: run 'chmod 700 {folder}'.")


def read(file: Path, parse: Callable[[bytes], T]) -> T:
    """The parsed content of a key file. `parse` raises ValueError, KeyError or TypeError for a bad one."""
    try:
        # O_NOFOLLOW: a link could point at a file whose rights we would then be checking instead.
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as opened:
            mode = os.fstat(handle).st_mode
            content = opened.read(MAX_FILE_BYTES)
    except OSError as fault:
        raise OperatorError(
            f"The key file {file} cannot be read ({fault.strerror}): check its rights or restore a backup."
        ) from None
    if mode & _OTHERS:
        raise OperatorError(f"The key file {file} is open to other accounts: run 'chmod 600 {file}'.")
    try:
        return parse(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        # What was parsed may be half a key: it goes into no message and no chain.
        raise OperatorError(
            f"The key file {file} does not hold its key: restore it from a backup, or move it aside"
            " if it was never used."
        ) from None


def read_or_make(file: Path, make: Callable[[], bytes], parse: Callable[[bytes], T]) -> T:
    """The parsed content of a key file, made first when there is none."""
    if not file.exists():
        write_new(file, make())
    return read(file, parse)


def write_new(file: Path, content: bytes) -> None:
    """Whole or not at all, and never over a file that another process made meanwhile."""
    with _drafted(file, content) as draft:
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()


def replace(file: Path, content: bytes) -> None:
    """Put new content in the place of the old in one step: a power cut leaves one of the two, whole."""
    with _drafted(file, content) as draft:
        draft.replace(file)


class Followed(Generic[T]):
    """The parsed content of a key file that another process may replace: a change always makes a new file."""

    def __init__(self, file: Path, parse: Callable[[bytes], T]) -> None:
        """Read the file. Raises OperatorError, as `read` does."""
        self._file, self._parse = file, parse
        self._seen = self._stamp()
        self.last = read(file, parse)
        """As it was when it was last looked at."""

    def now(self) -> T:
        """As it is now, read again if it is another file than before. Raises OperatorError."""
        seen = self._stamp()
        if seen is None or seen != self._seen:
            self.last = read(self._file, self._parse)
            self._seen = seen
        return self.last

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None  # reading it says what is wrong
        return status.st_ino, status.st_mtime_ns


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Let one process at a time change what stands in the folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # this also gives the lock back


@contextmanager
def _drafted(file: Path, content: bytes) -> Generator[Path]:
    """A draft beside the file, safely on the disk; what the caller made of it is then made safe too."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(handle)
        yield draft
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # a card signed with a key that a power cut takes back would be lost
        finally:
            os.close(folder)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise OperatorError(
            f"The key file {file} cannot be made ({fault.strerror}): check the folder's rights and the disk."
        ) from None
