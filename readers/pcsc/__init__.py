"""PC/SC readers: opened by name, served by a worker process of their own, described by profiles.

It imports nothing by itself: the worker is a module of this package and must start in an instant, without the
card's protocol and its cryptography. pyscard is imported in `readers.pcsc.direct`, inside the worker alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readers.pcsc.watched import WatchedReader


def open_reader(name: str) -> WatchedReader:
    """See `readers.pcsc.opening.open_reader`."""
    from readers.pcsc import opening  # noqa: PLC0415 - see above

    return opening.open_reader(name)


def reader_names() -> list[str]:
    """All PC/SC readers of this machine. Raises OperatorError without a service."""
    from readers.pcsc import opening  # noqa: PLC0415 - see above

    return opening.reader_names()
