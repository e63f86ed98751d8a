"""How often one network address may try something: a sliding window, in process and bounded.

It is a brake and no lock: what protects a rider's number is counted with the number, in the database. Many
riders share one address behind a mobile carrier, so the limits are wide.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request

MAX_ADDRESSES: Final = 10_000
_IPV6_NETWORK_BITS: Final = 64


class AddressThrottle:
    """At most `limit` tries of one address within `window`. Thread-safe."""

    def __init__(self, limit: int, window: timedelta) -> None:
        self._limit = limit
        self._window = window
        self._tries: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str, now: datetime) -> int:
        """0 when the try may go on (it is counted), else the seconds to wait."""
        with self._lock:
            tries = self._tries.setdefault(address, deque())
            self._tries.move_to_end(address)
            while tries and tries[0] <= now - self._window:
                tries.popleft()
            if len(tries) >= self._limit:
                return int((tries[0] + self._window - now).total_seconds()) + 1
            tries.append(now)
            while len(self._tries) > MAX_ADDRESSES:
                self._tries.popitem(last=False)
            return 0


def address_of(request: Request) -> str:
    """Who asks: an IPv4 address, or the /64 that one IPv6 subscriber has to himself."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))
