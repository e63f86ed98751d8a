"""A disputed ticket as a line for people and as a document for programs. It decides nothing.

The document has the fields of `fare.collection.ConflictView`: bytes in hex, instants in ISO 8601, UTC.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from fare.collection import ConflictSide, ConflictView


def as_line(one: ConflictView, now: datetime) -> str:
    """One line: age, name, both buses, how far apart the codes were, what waits."""
    age_hours = int((now - one.found_at).total_seconds() // 3600)
    apart = "paper" if one.apart_s is None else f"{one.apart_s} s apart"
    denied = ", denied" if one.denied else ""
    return (
        f"{age_hours:>5} h  {one.conflict_id}: ticket {one.cti.hex()} on {_bus(one.first)} and"
        f" {_bus(one.second)}, {apart}; {one.waiting_rial:,} rial wait, {one.earlier} earlier{denied}"
    )


def as_document(one: ConflictView) -> dict[str, Any]:
    """The same in full, of values that JSON has."""
    plain = {name: _plain(value) for name, value in asdict(one).items()}
    return plain | {"apart_s": one.apart_s}


def _bus(side: ConflictSide) -> str:
    return f"{side.vehicle_id or f'device {side.device_id}'} (line {side.line})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    return value
