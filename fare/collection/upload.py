"""One upload: the signed batch, its name, and when it came. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from fare.core.batch import Batch
from fare.core.calendar import DAY_STARTS_AT, service_day
from fare.core.errors import MalformedDocument

_BATCH_HEAD: Final = b"\xab\x00\x01\x01"  # a map of eleven, format 1, then the device


@dataclass(frozen=True, slots=True)
class City:
    """What turns an instant into a service day."""

    zone: ZoneInfo
    day_starts: time = DAY_STARTS_AT

    def day_of(self, at: datetime) -> date:
        """The service day of an instant."""
        return service_day(at, self.zone, self.day_starts)


@dataclass(frozen=True, slots=True)
class Upload:
    """A verified batch; `batch_id` is SHA-256 of the envelope in hex."""

    batch: Batch
    batch_id: str
    envelope: bytes
    received_at: datetime
    city: City


def claimed_device(payload: bytes) -> int:
    """The device a batch claims to be of, read before the signature because it says whose signature that
    is.
    """
    head, rest = payload[: len(_BATCH_HEAD)], payload[len(_BATCH_HEAD) :]
    if head == _BATCH_HEAD and rest:
        size = {0x18: 1, 0x19: 2, 0x1A: 4}.get(rest[0])
        if rest[0] < 0x18:
            return rest[0]
        if size is not None:
            return min(int.from_bytes(rest[1 : 1 + size]), 0x7FFF_FFFF)
    raise MalformedDocument("not a batch")
