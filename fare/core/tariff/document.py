"""The compiled form of a tariff: what a bundle carries and the ledger keeps, and a strict reader of it.

A map of field names to values as `fare.core.tariff.plain` writes it; the dataclasses of `model` are the
schema. It reads no file and checks no meaning: that is `fare.core.tariff.loading`.
"""

from __future__ import annotations

from typing import Any, cast

from fare.core.errors import MalformedDocument
from fare.core.fields import uint
from fare.core.tariff.model import DOCUMENT_FORMAT, Tariff
from fare.core.tariff.plain import from_map


def to_document(tariff: Tariff) -> dict[str, Any]:
    """Text, integers, lists and maps, ready for canonical CBOR or JSON."""
    return tariff.to_document()


def from_document(document: Any) -> Tariff:
    """Read the compiled form. Raises MalformedDocument that names the field."""
    if not isinstance(document, dict):
        raise MalformedDocument("tariff: not a map")
    parts = dict(cast("dict[Any, Any]", document))
    if uint(parts.pop("format", None), "tariff: format") != DOCUMENT_FORMAT:
        raise MalformedDocument(f"tariff: only format {DOCUMENT_FORMAT} is known here: update the software")
    return from_map(Tariff, parts, "tariff")
