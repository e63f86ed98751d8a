"""The MC1 token as one pattern: the quick way to the parts of a token that is well formed. It never refuses.

What is accepted is defined by the strict reader of `fare.core.proof.mc1`, which also names what is wrong. The
pattern only saves reading item by item, on every frame a scanner sees: what it matches, the reader accepts
with the same parts (a test holds the two together), and what it does not match is left to the reader.
"""

from __future__ import annotations

import re
from typing import Final

# Each integer in its shortest form alone, so that there is at most one way to match.
_UINT8: Final = rb"[\x01-\x17]|\x18[\x18-\xff]"
_UINT16: Final = rb"[\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00).{2}"
_UINT32: Final = _UINT16 + rb"|\x1a(?!\x00{2}).{4}"
_TIME: Final = rb"\x1a(?!\x00{2})(.{4})"
_SIGNATURE: Final = rb"\x58\x40.{64}"

_CLAIMS: Final = (
    rb"\xa5\x04" + _TIME + rb"\x06" + _TIME + rb"\x07\x48(.{8})"
    rb"\x08\xa1\x01\xa4\x01\x02\x20\x01\x21\x58\x20(.{32})\x22([\xf4\xf5])"
    rb"\x3a\x00\x01\x00\x00\x83(" + _UINT16 + rb")(" + _UINT8 + rb")(" + _UINT32 + rb")"
)
_ENTITLEMENT: Final = rb"\x84\x46\xa2\x01\x27\x04\x41(.)\xa0\x58(.)" + _CLAIMS + _SIGNATURE
_RIDE: Final = _TIME + rb"(" + _UINT8 + rb")([\x01-\x09])"

TOKEN: Final = re.compile(
    rb"\x84\x43\xa1\x01\x26\xa0\x58(.)([\x84\x85])("
    + _ENTITLEMENT
    + rb")"
    + _RIDE
    + rb"(?:\x48(.{8}))?"
    + _SIGNATURE,
    re.DOTALL,
)
"""Groups: size of the proof, its array's head, entitlement, kid, size of the claims, exp, iat, cti, x, sign
of y, product, max_taps, max_fare_rial, ts, ctr, pax, challenge or None. The caller checks sizes and life."""


def matched_uint(encoded: bytes) -> int:
    """The value of an integer that one of the groups matched."""
    return encoded[0] if len(encoded) == 1 else int.from_bytes(encoded[1:])
