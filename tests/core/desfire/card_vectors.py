"""The published card vectors, by id. An id that is not in the file is a KeyError, never a skip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "vectors" / "card.json"
DOCUMENT: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in DOCUMENT["vectors"]}
SECOND_READING: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in DOCUMENT["second_reading"]}


def flipped(raw: bytes, bit: int = 0) -> bytes:
    """The same bytes with one bit the other way; bit 0 is the lowest of the first byte."""
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
