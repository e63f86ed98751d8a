"""Whose tries are counted together: one network address, or the network that one subscriber has to himself.

What protects a rider's number is counted with the number, in the database. Many riders share one address
behind a mobile carrier, so the limits by address are wide.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from starlette.requests import Request

_IPV6_NETWORK_BITS: Final = 64


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
