from __future__ import annotations

from pathlib import Path

import pytest

import fare.network
from tests.network.feeds import write_zip
from tests.staff.commands import Commands


def test_import_prints_a_summary(commands: Commands) -> None:
    sample = Path(fare.network.__file__).parent / "sample"
    status, out, err = commands("network", "import", str(sample), "--sample")
    assert (status, err) == (0, "")
    assert "(sample data)" in out
    assert "4 new" in out
    status, out, _ = commands("network", "lines")
    assert status == 0
    assert "دانشگاه" in out


def test_a_missing_column_is_one_sentence_and_status_2(commands: Commands, tmp_path: Path) -> None:
    feed = write_zip(tmp_path / "feed.zip", {"routes.txt": "route_id,route_short_name\nr-1,1\n"})
    status, out, err = commands("network", "import", str(feed))
    assert (status, out) == (2, "")
    assert err == (
        "mancard: routes.txt has no column route_type: "
        "GTFS requires it, add it to the first line and fill it in.\n"
    )
    assert commands("network", "lines") == (0, "", "")


def test_without_a_database_the_sentence_says_how_to_make_one(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path / "elsewhere"))
    status, _, err = commands("network", "lines")
    assert status == 2
    assert "mancard ledger migrate" in err
    assert err.count("\n") == 1
