"""What happens on all readers, as sentences, for a technician who watches. It never writes: a card that has
just come is asked for its version, and for nothing else.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

from fare.core.desfire.errors import CardFault
from readers.pcsc.chips import chip_kind
from readers.pcsc.watched import SeenReader, WatchedReader
from readers.ports import ReaderFault

RETRY_S: Final = 0.5
CONNECT_S: Final = 1.0


class Sightings:
    """Compares what there is with what there was. A lost service is one line, its return another."""

    def __init__(self) -> None:
        self._looking = WatchedReader("")
        self._known: dict[str, SeenReader] = {}
        self._lost = False

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        """End the worker."""
        self._looking.close()

    def next_lines(self, timeout_s: float) -> list[str]:
        """What happened, as soon as something did, at the latest after `timeout_s`."""
        try:
            seen = {reader.name: reader for reader in self._looking.survey(timeout_s)}
        except ReaderFault as fault:
            time.sleep(min(RETRY_S, timeout_s))  # the service is away: ask it a few times a second
            return self._service_lost(str(fault))
        lines = ["service back"] if self._lost else []
        self._lost = False
        lines += [f"reader out  {name}" for name in sorted(self._known.keys() - seen.keys())]
        for name in sorted(seen):
            lines += self._changes(self._known.get(name), seen[name])
        self._known = seen
        return lines

    def _service_lost(self, why: str) -> list[str]:
        if self._lost:
            return []
        self._lost = True
        self._known = {}
        return [f"service lost  {why}"]

    def _changes(self, before: SeenReader | None, now: SeenReader) -> list[str]:
        lines = [] if before is not None else [f"reader in  {now.name}"]
        was_there = before is not None and before.present
        if was_there and (not now.present or (before is not None and before.atr != now.atr)):
            lines.append(f"card out  {now.name}")
            was_there = False
        if now.present and not was_there:
            lines.append(f"card in  {now.name}  {_atr(now)}  {_kind(now)}")
        return lines


def _atr(seen: SeenReader) -> str:
    return f"ATR {seen.atr.hex(' ').upper()}" if seen.atr else "no ATR"


def _kind(seen: SeenReader) -> str:
    if seen.mute:
        return "it does not answer"
    if seen.in_use:
        return "in use by another program"
    with WatchedReader(seen.name) as reader:
        try:
            link = reader.wait_for_card(CONNECT_S)
            if link is None:
                return "in use by another program, or already gone"
            try:
                return chip_kind(link.atr, link.transmit)[0]
            finally:
                link.close()
        except (CardFault, ReaderFault):
            return "already gone"
