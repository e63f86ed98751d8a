"""Tables of tariffs that are not published yet: drafts, and what is asked of a second person (`travel`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, wide


class TariffDraft(SQLModel, table=True):
    """An uploaded tariff folder, faulty ones too. It never changes; only what it was compared with is added.

    `files`: canonical CBOR, file name -> bytes, deflated. `document`: the compiled form at version 0, None
    while it has faults.
    `faults` and `warnings`: canonical CBOR, lists of [file, row or None, column, problem, mend].
    `comparison`: canonical CBOR of what it does to real taps (`fare.tariffs.drafts`).
    """

    __tablename__ = "travel_tariff_draft"  # pyright: ignore[reportAssignmentType]
    draft_id: str = Field(primary_key=True)
    file_name: str
    name: str
    files: bytes
    document: bytes | None = None
    faults: bytes
    warnings: bytes
    uploaded_by: str
    uploaded_at: datetime = instant()
    comparison: bytes | None = None
    compared_at: datetime | None = instant(default=None)


class TariffRequest(SQLModel, table=True):
    """Exactly what is published once the approval of the same id is given: the bytes, and from when.

    `effect`: canonical CBOR of the comparison as it was when this was asked for.
    """

    __tablename__ = "travel_tariff_request"  # pyright: ignore[reportAssignmentType]
    approval_id: str = Field(primary_key=True)
    draft_id: str | None = None
    version: int = wide()
    document: bytes
    starts_at: datetime = instant()
    effect: bytes | None = None
