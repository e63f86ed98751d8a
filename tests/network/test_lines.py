from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.network import FeedFault, import_feed, line_names, lines, shows_sample
from tests.network.feeds import SMALL_FEED, write_zip

NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)


def test_lines_keep_their_numbers_when_a_feed_is_loaded_again(engine: Engine, tmp_path: Path) -> None:
    with write(engine) as session:
        report = import_feed(session, write_zip(tmp_path / "one.zip"), NOW)
    assert (report.lines, report.new_lines, report.retired_lines, report.areas) == (2, 2, 0, 1)
    routes = "route_id,route_type,route_short_name\nr-3,3,3\nr-2,3,۲\n"
    trips = "route_id,service_id,trip_id\nr-3,all,t-1\n"
    with write(engine) as session:
        newer = write_zip(tmp_path / "two.zip", {"routes.txt": routes, "trips.txt": trips})
        report = import_feed(session, newer, NOW)
    assert (report.new_lines, report.retired_lines) == (1, 1)
    with read(engine) as session:
        assert [(view.line, view.route_id, view.active) for view in lines(session)] == [
            (1, "r-1", False),
            (2, "r-2", True),
            (3, "r-3", True),
        ]
        assert line_names(session) == {1: "۱ · میدان – دانشگاه", 2: "۲", 3: "3"}


def test_loading_the_same_feed_twice_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    feed = write_zip(tmp_path / "feed.zip")
    with write(engine) as session:
        import_feed(session, feed, NOW)
    with read(engine) as session:
        before = lines(session)
    with write(engine) as session:
        report = import_feed(session, feed, NOW)
    assert (report.new_lines, report.retired_lines) == (0, 0)
    with read(engine) as session:
        assert lines(session) == before


def test_a_feed_with_a_fault_leaves_the_network_as_it_was(engine: Engine, tmp_path: Path) -> None:
    with write(engine) as session:
        import_feed(session, write_zip(tmp_path / "one.zip"), NOW)
    bad = SMALL_FEED["trips.txt"] + "r-9,all,t-9\n"
    with pytest.raises(FeedFault), write(engine) as session:
        import_feed(session, write_zip(tmp_path / "two.zip", {"trips.txt": bad}), NOW)
    with read(engine) as session:
        assert len(lines(session)) == 2


def test_sample_data_is_known_as_such_until_a_real_feed_comes(engine: Engine, tmp_path: Path) -> None:
    with write(engine) as session:
        import_feed(session, write_zip(tmp_path / "one.zip"), NOW, sample=True)
        assert shows_sample(session)
    real = write_zip(tmp_path / "two.zip", {"stop_areas.txt": None})
    with write(engine) as session:
        import_feed(session, real, NOW.replace(hour=5))
        assert not shows_sample(session)
