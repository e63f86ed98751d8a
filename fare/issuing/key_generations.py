"""How many cards need which generation of keys. It knows no key and changes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.issuing.models import Card
from fare.issuing.words import CardStatus


@dataclass(frozen=True, slots=True)
class GenerationUse:
    """`opened`: active cards whose keys are of the generation. `proven`: all cards, denied and replaced ones
    too, whose Transaction MAC key is of it: their late rides are still checked and paid.
    """

    opened: int = 0
    proven: int = 0


def generation_use(session: Session) -> Mapping[int, GenerationUse]:
    """By generation; one that no card needs is left out."""
    active = col(Card.status) == CardStatus.ACTIVE
    count = sa.func.count()
    opened = dict(
        session.exec(select(Card.key_version, count).where(active).group_by(col(Card.key_version))).all()
    )
    proven = dict(session.exec(select(Card.tm_key_version, count).group_by(col(Card.tm_key_version))).all())
    return {
        version: GenerationUse(opened.get(version, 0), proven.get(version, 0))
        for version in sorted(opened.keys() | proven.keys())
    }
