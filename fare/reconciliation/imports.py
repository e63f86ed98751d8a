"""Takes outside records in: a PSP's report, a bank's statement. All of a file or nothing; a file once.

A file's name is the hash of its bytes, so importing it again changes nothing. It matches nothing and posts
nothing: that is `fare.reconciliation.bank`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from fare.database.chunks import in_chunks
from fare.reconciliation.bank import book_matches
from fare.reconciliation.models import BankLine, PspLine
from fare.reconciliation.outside_files import PspRow, bank_rows, open_file, psp_rows
from fare.reconciliation.profiles import BANK_DEFAULT, PSP_DEFAULT, load_profile


@dataclass(frozen=True, slots=True)
class FileReport:
    """What an import did. `content_id` names the file; `lines` were in it, `new_lines` were stored.

    A PSP line that an earlier report had, word for word, is not stored again.
    """

    content_id: str
    lines: int
    new_lines: int


def import_psp_report(
    session: Session, source: Path | str, profile: str = PSP_DEFAULT, *, now: datetime
) -> FileReport:
    """Take in a PSP's report, by path or as text. Raises OperatorError, and then nothing was taken in.

    Deposits that the bank has already booked are matched and posted at `now`.
    """
    file = open_file(source)
    rows = psp_rows(file, load_profile(profile, "psp"))
    if session.exec(select(PspLine).where(col(PspLine.report_id) == file.content_id).limit(1)).first():
        return FileReport(file.content_id, len(rows), 0)
    known = _known(session, {row.psp_reference for row in rows})
    new = [row for row in rows if _content(row) not in known]
    _insert(
        session,
        PspLine,
        [
            {
                "report_id": file.content_id,
                "line_no": row.line_no,
                "psp_reference": row.psp_reference,
                "terminal": row.terminal,
                "amount_rial": row.amount_rial,
                "paid_day": row.paid_day,
                "deposit_reference": row.deposit_reference,
            }
            for row in new
        ],
    )
    book_matches(session, now)
    return FileReport(file.content_id, len(rows), len(new))


def import_bank_statement(
    session: Session, source: Path | str, profile: str = BANK_DEFAULT, *, now: datetime
) -> FileReport:
    """Take in a bank's statement, by path or as text. Raises OperatorError, and then nothing was taken in.

    What matches a deposit or a payment is posted at `now`. Two statements that overlap in other bytes are two
    files: import each period once.
    """
    file = open_file(source)
    rows = bank_rows(file, load_profile(profile, "bank"))
    if session.exec(select(BankLine).where(col(BankLine.statement_id) == file.content_id).limit(1)).first():
        return FileReport(file.content_id, len(rows), 0)
    _insert(
        session,
        BankLine,
        [
            {
                "statement_id": file.content_id,
                "line_no": row.line_no,
                "booked_day": row.booked_day,
                "amount_rial": row.amount_rial,
                "reference": row.reference,
                "text": row.text,
                "matched_to": None,
            }
            for row in rows
        ],
    )
    book_matches(session, now)
    return FileReport(file.content_id, len(rows), len(rows))


def _known(session: Session, references: Iterable[str]) -> set[tuple[object, ...]]:
    """The content of stored lines with these references."""
    found: set[tuple[object, ...]] = set()
    for chunk in in_chunks(references):
        rows = session.exec(select(PspLine).where(col(PspLine.psp_reference).in_(chunk)))
        found |= {_content(row) for row in rows}
    return found


def _content(row: PspRow | PspLine) -> tuple[object, ...]:
    return row.psp_reference, row.terminal, row.amount_rial, row.paid_day, row.deposit_reference


def _insert(session: Session, model: type[SQLModel], rows: Sequence[dict[str, object]]) -> None:
    if rows:
        session.connection().execute(sa.insert(model), rows)
