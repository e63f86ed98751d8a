"""Tables of outside records (PSP reports, bank statements) and of the exceptions queues."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, money


class PspLine(SQLModel, table=True):
    """One payment in a PSP's report. `deposit_reference` names the bank deposit it was settled in."""

    __tablename__ = "ledger_psp_line"  # pyright: ignore[reportAssignmentType]
    report_id: str = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    psp_reference: str = Field(index=True)
    terminal: str
    amount_rial: int = money()
    paid_day: date
    deposit_reference: str


class BankLine(SQLModel, table=True):
    """One line of a bank statement: money in is positive, money out negative."""

    __tablename__ = "ledger_bank_line"  # pyright: ignore[reportAssignmentType]
    statement_id: str = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    booked_day: date
    amount_rial: int = money()
    reference: str = Field(index=True)
    text: str
    matched_to: str | None = None


class ReconciliationException(SQLModel, table=True):
    """Two records that disagree. `proof`: device, card, channel, bank. Id: `<proof>:<kind>:<subject>`."""

    __tablename__ = "travel_exception"  # pyright: ignore[reportAssignmentType]
    exception_id: str = Field(primary_key=True)
    proof: str
    kind: str
    subject: str
    service_day: date = Field(index=True)
    amount_rial: int = money()
    detail: str
    queue_role: str
    opened_at: datetime = instant()
    resolved_at: datetime | None = instant(default=None)
    resolution: str | None = None
