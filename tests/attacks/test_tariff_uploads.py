"""Somebody who uploads tariffs to stop the ledger: packed, rows and drafts without end."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.core.tariff.loading import load_tariff
from fare.core.tariff.loading.coverage import check_coverage
from fare.core.tariff.loading.findings import Findings
from fare.core.tariff.loading.patterns import read_patterns
from fare.core.tariff.loading.tables import Tables
from fare.core.tariff.model import FareProduct, ProductPrice, Tariff, flat_tariff
from fare.database.engine import read, write
from fare.distribution import MAX_TARIFF_BYTES, TariffRefused, check_publication, document_size
from fare.distribution import tariffs as distributed
from fare.tariffs.drafts import MOST_DRAFTS, TooManyDrafts, check_upload, discard_draft, drafts, store_draft
from tests.tariffs.published import publish

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FILES = {
    "fare_products.txt": "fare_product_id,amount,currency\nsingle,35000,IRR\n",
    "fare_leg_rules.txt": "leg_group_id,fare_product_id\nbus,single\n",
}


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """SQLite is enough: nothing here depends on the database."""
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"


def zipped(packed: int = zipfile.ZIP_DEFLATED, **files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed) as archive:
        for name, content in {**FILES, **files}.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_says_how_much_memory_it_wants_is_not_unpacked(packed: int) -> None:
    """113 kB of LZMA came to 34 MB in the database; and a damaged one was answered with a traceback."""
    whole = zipped(packed)
    for content in (whole, whole.replace(b"single", b"\xff" * 6)):
        checked = check_upload("feed.zip", content)
        assert checked.loaded.tariff is None
        assert {"packed in a way" in fault.problem for fault in checked.loaded.faults} == {True}


def test_thousands_of_rules_are_checked_once_each() -> None:
    """249,000 rules took the check hours; it now grows as they do."""
    count = 300
    files = {
        "fare_products.txt": "fare_product_id,amount,currency\n"
        + "".join(f"p{n},{n},IRR\n" for n in range(count)),
        "fare_leg_rules.txt": "leg_group_id,network_id,fare_product_id\n"
        + "".join(f"g{n},n{n},p{n}\n" for n in range(count)),
    }
    loaded = load_tariff({name: content.encode() for name, content in files.items()})
    assert loaded.tariff is not None
    rows = _Rows(loaded.tariff.products)
    tariff, findings = replace(loaded.tariff, products=rows), Findings()
    check_coverage(tariff, read_patterns(Tables({}, findings), tariff), findings)
    assert rows.times < 20


class _Rows(tuple[ProductPrice, ...]):  # noqa: SLOT001 - it counts
    """Rows that count how often somebody goes through all of them."""

    times = 0

    def __iter__(self) -> Iterator[ProductPrice]:
        self.times += 1
        return super().__iter__()


def test_no_more_drafts_are_kept_than_a_disk_holds(engine: Engine) -> None:
    checked = check_upload("feed.zip", zipped())
    assert checked.loaded.tariff is not None
    with write(engine) as session:
        kept = [store_draft(session, checked, "sara", AT) for _ in range(MOST_DRAFTS)]
        with pytest.raises(TooManyDrafts, match="discard one"):
            store_draft(session, checked, "sara", AT)
        discard_draft(session, kept[0].draft_id)
        store_draft(session, checked, "sara", AT)
    with read(engine) as session:
        assert len(drafts(session)) == MOST_DRAFTS


def large(version: int, size: int) -> Tariff:
    """A tariff whose document has about so many bytes."""
    flat = flat_tariff(version, "flat", {0: FareProduct("single", "Single", 35_000)})
    return replace(flat, names={f"stop:{n}": "x" * 1_000 for n in range(size // 1_010)})


def test_a_tariff_that_buses_cannot_take_is_not_published(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle above its limit is refused by every bus: no key and no denial would reach one any more."""
    with write(engine) as session:
        publish(session, large(1, 100_000), AT)
        # A start that no Jalali calendar has would break the list of tariffs for ever: requests stay.
        with pytest.raises(TariffRefused, match="within 100 years"):
            check_publication(session, large(2, 1_000), datetime(9999, 6, 1, tzinfo=UTC), AT)
        with pytest.raises(TariffRefused, match="fewer rows"):
            publish(session, large(2, MAX_TARIFF_BYTES + 20_000), AT + timedelta(days=1))
        monkeypatch.setattr(distributed, "MAX_CARRIED_BYTES", 250_000)
        publish(session, large(2, 100_000), AT + timedelta(days=1))
        with pytest.raises(TariffRefused, match="together"):
            publish(session, large(3, 100_000), AT + timedelta(days=2))
        publish(session, large(3, 20_000), AT + timedelta(days=2))
        # The first is carried no more.
        publish(session, large(4, 100_000), AT + timedelta(days=3))


def test_a_draft_that_buses_cannot_take_has_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_upload("feed.zip", zipped())
    assert checked.loaded.tariff is not None
    monkeypatch.setattr("fare.tariffs.drafts.MAX_TARIFF_BYTES", document_size(checked.loaded.tariff) - 1)
    again = check_upload("feed.zip", zipped())
    assert again.loaded.tariff is None
    assert "buses take" in again.loaded.faults[0].problem
