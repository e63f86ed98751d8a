"""People who chose to be known, and the media they hold. Nothing here says where anybody was."""

from __future__ import annotations

from fare.riders.media import (
    HeldMedium,
    LinkRefusal,
    MediumKind,
    create_rider,
    holder_of,
    link,
    media_of,
    unlink,
)

__all__ = [
    "HeldMedium",
    "LinkRefusal",
    "MediumKind",
    "create_rider",
    "holder_of",
    "link",
    "media_of",
    "unlink",
]
