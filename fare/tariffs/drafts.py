"""Drafts: tariff folders that somebody uploaded, faulty ones too, so that finance can mend and come back.

A draft never changes; a mended folder is another draft. So many are kept and no more. It publishes nothing.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import defer
from sqlmodel import Session, col, delete, func, select

from fare.core.errors import OperatorError
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.loading import LoadedTariff, TariffFault, TariffFaults, load_tariff
from fare.core.tariff.loading.saying import packed, say, unpacked
from fare.core.tariff.model import Tariff
from fare.distribution import MAX_TARIFF_BYTES, document_size, tariff_of
from fare.tariffs.models import TariffDraft
from fare.tariffs.source import read_tariff_zip

MAX_UPLOAD_BYTES: Final = 8 << 20
"""Of a zip sent to the page. A larger feed is published from its folder, with the command."""
MAX_NAME_CHARACTERS: Final = 80
MOST_DRAFTS: Final = 50
_WITHOUT_FILES: Final = defer(TariffDraft.files)  # pyright: ignore[reportArgumentType]
_WITHOUT_CONTENT: Final = (
    defer(TariffDraft.document),  # pyright: ignore[reportArgumentType]
    defer(TariffDraft.comparison),  # pyright: ignore[reportArgumentType]
)


class TooManyDrafts(OperatorError):
    """No more drafts are kept: they would fill the disk."""

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_DRAFTS} drafts already: discard one that nobody needs.")


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft as people see it. `tariff` None: it has faults. `comparison`: as `effects` writes it."""

    draft_id: str
    file_name: str
    name: str
    tariff: Tariff | None
    faults: tuple[TariffFault, ...]
    warnings: tuple[TariffFault, ...]
    uploaded_by: str
    uploaded_at: datetime
    comparison: bytes | None
    compared_at: datetime | None


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A draft in a list of all: without what it says."""

    draft_id: str
    file_name: str
    name: str
    uploaded_by: str
    uploaded_at: datetime
    faults: tuple[TariffFault, ...]
    warnings: tuple[TariffFault, ...]


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A folder that was read and checked, and not kept yet."""

    file_name: str
    files: Mapping[str, bytes]
    loaded: LoadedTariff


def check_upload(file_name: str, content: bytes) -> CheckedFolder:
    """Read an uploaded zip; every fault found in it is in the answer, and nothing is raised for one.

    It takes its time: call it before a transaction is open, or nobody else may write meanwhile.
    """
    try:
        files = read_tariff_zip(content, file_name)
    except TariffFaults as refused:
        return CheckedFolder(file_name, {}, LoadedTariff(None, refused.faults, ()))
    loaded = load_tariff(files)
    if loaded.tariff is not None and (size := document_size(loaded.tariff)) > MAX_TARIFF_BYTES:
        most = MAX_TARIFF_BYTES >> 10
        problem = say("its document comes to {kib:,} KiB, and buses take {most:,}", kib=size >> 10, most=most)
        too_large = TariffFault(file_name, None, "", problem, say("say it with fewer rows"))
        loaded = LoadedTariff(None, (too_large,), ())
    return CheckedFolder(file_name, files, loaded)


def store_draft(session: Session, checked: CheckedFolder, by: str, now: datetime) -> DraftView:
    """Keep a folder as a draft, a faulty one too. Raises TooManyDrafts."""
    if session.exec(select(func.count(col(TariffDraft.draft_id)))).one() >= MOST_DRAFTS:
        raise TooManyDrafts
    file_name, tariff = checked.file_name, checked.loaded.tariff
    row = TariffDraft(
        draft_id=secrets.token_hex(6),
        file_name=file_name[:MAX_NAME_CHARACTERS],
        name=(file_name if tariff is None else tariff.name or file_name)[:MAX_NAME_CHARACTERS],
        files=zlib.compress(canonical(dict(checked.files))),
        document=None if tariff is None else canonical(tariff.to_document()),
        faults=_packed(checked.loaded.faults),
        warnings=_packed(checked.loaded.warnings),
        uploaded_by=by,
        uploaded_at=now,
    )
    session.add(row)
    session.flush()
    return _view(row)


def drafts(session: Session) -> list[DraftLine]:
    """The newest first."""
    rows = session.exec(
        select(TariffDraft)
        .options(_WITHOUT_FILES, *_WITHOUT_CONTENT)
        .order_by(col(TariffDraft.uploaded_at).desc())
        .limit(MOST_DRAFTS)
    )
    return [
        DraftLine(
            draft_id=row.draft_id,
            file_name=row.file_name,
            name=row.name,
            uploaded_by=row.uploaded_by,
            uploaded_at=row.uploaded_at,
            faults=_unpacked(row.faults),
            warnings=_unpacked(row.warnings),
        )
        for row in rows
    ]


def draft(session: Session, draft_id: str) -> DraftView | None:
    """One draft, or None."""
    # The folder itself is not read again: it is what somebody once sent.
    row = session.get(TariffDraft, draft_id, options=[_WITHOUT_FILES])
    return None if row is None else _view(row)


def discard_draft(session: Session, draft_id: str) -> None:
    """Throw a draft away. What was asked for with it stays."""
    session.exec(delete(TariffDraft).where(col(TariffDraft.draft_id) == draft_id))


def keep_comparison(session: Session, draft_id: str, comparison: bytes, now: datetime) -> None:
    """Keep what a draft does to real rides beside it."""
    row = session.get(TariffDraft, draft_id)
    if row is not None:
        row.comparison, row.compared_at = comparison, now
        session.flush()


def _packed(found: Sequence[TariffFault]) -> bytes:
    return canonical(
        [
            [packed(each.file), each.row, each.column, packed(each.problem), packed(each.mend)]
            for each in found
        ]
    )


def _unpacked(raw: bytes) -> tuple[TariffFault, ...]:
    return tuple(
        TariffFault(unpacked(file), row, column, unpacked(problem), unpacked(mend))
        for file, row, column, problem, mend in decode_canonical(raw)
    )


def _view(row: TariffDraft) -> DraftView:
    return DraftView(
        draft_id=row.draft_id,
        file_name=row.file_name,
        name=row.name,
        tariff=None if row.document is None else tariff_of(row.document),
        faults=_unpacked(row.faults),
        warnings=_unpacked(row.warnings),
        uploaded_by=row.uploaded_by,
        uploaded_at=row.uploaded_at,
        comparison=row.comparison,
        compared_at=row.compared_at,
    )
