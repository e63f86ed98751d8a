"""Reads tests/vectors/card.json; a vector that is not there is an error, never a skip."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "vectors"


@cache
def _document(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / name).read_text())


def vectors_of(*kinds: str) -> list[dict[str, Any]]:
    """All vectors of these kinds; at least one of each."""
    found = [vector for vector in _document("card.json")["vectors"] if vector["kind"] in kinds]
    missing = set(kinds) - {vector["kind"] for vector in found}
    assert not missing, f"card.json holds no vector of {missing}"
    return found


def vector(identifier: str) -> dict[str, Any]:
    """The one vector of this id, from the published list or the second readings."""
    document = _document("card.json")
    every = [*document["vectors"], *document["second_reading"]]
    (found,) = [entry for entry in every if entry["id"] == identifier]
    return found


def qr_vectors(section: str) -> dict[str, Any]:
    """One section of qr.json."""
    return _document("qr.json")[section]


def raw(text: str) -> bytes:
    return bytes.fromhex(text)
