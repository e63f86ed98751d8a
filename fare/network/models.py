"""Tables of the network that was loaded from GTFS (schema `travel`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, number


class Feed(SQLModel, table=True):
    """One imported GTFS feed. `sample` marks invented data that only shows how things look."""

    __tablename__ = "travel_feed"  # pyright: ignore[reportAssignmentType]
    feed_id: str = Field(primary_key=True)
    name: str
    sample: bool
    imported_at: datetime = instant()


class Line(SQLModel, table=True):
    """A GTFS route under the small number that taps and card records carry (1..65535)."""

    __tablename__ = "travel_line"  # pyright: ignore[reportAssignmentType]
    line: int = number(primary_key=True)
    route_id: str = Field(unique=True)
    agency_name: str
    short_name: str
    long_name: str
    active: bool = True


class Stop(SQLModel, table=True):
    """A GTFS stop; `area` is the small number of its fare area, 0 when it has none.

    `active` is false once a newer feed no longer has the stop.
    """

    __tablename__ = "travel_stop"  # pyright: ignore[reportAssignmentType]
    stop_id: str = Field(primary_key=True)
    name: str
    latitude: float | None = None
    longitude: float | None = None
    area: int = 0
    active: bool = True


class Area(SQLModel, table=True):
    """A GTFS fare area under the small number that taps and card records carry (1..65535)."""

    __tablename__ = "travel_area"  # pyright: ignore[reportAssignmentType]
    area: int = number(primary_key=True)
    area_id: str = Field(unique=True)
    name: str
