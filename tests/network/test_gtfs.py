from __future__ import annotations

from pathlib import Path

import pytest

import fare.network
from fare.network.gtfs import FeedFault, read_feed
from tests.network.feeds import SMALL_FEED, write_folder, write_zip


def test_a_zip_and_a_folder_read_the_same(tmp_path: Path) -> None:
    zipped = read_feed(write_zip(tmp_path / "feed.zip"))
    folder = read_feed(write_folder(tmp_path / "feed"))
    assert zipped == folder
    assert [route.route_id for route in zipped.routes] == ["r-1", "r-2"]
    assert zipped.stops[0].area_id == "city"
    assert zipped.stops[1].area_id == ""
    assert (zipped.trips, zipped.stop_times) == (2, 2)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    feed = read_feed(write_zip(tmp_path / "feed.zip", {"routes.txt": "\ufeff" + SMALL_FEED["routes.txt"]}))
    assert len(feed.routes) == 2


def test_a_platform_takes_the_area_of_its_station(tmp_path: Path) -> None:
    stops = "stop_id,stop_name,parent_station\ns-1,Station,\np-1,Platform,s-1\n"
    feed = read_feed(write_zip(tmp_path / "feed.zip", {"stops.txt": stops}))
    assert [stop.area_id for stop in feed.stops] == ["city", "city"]


def test_the_bundled_sample_is_whole_and_says_that_it_is_one() -> None:
    feed = read_feed(Path(fare.network.__file__).parent / "sample")
    assert "نمونه" in feed.name
    assert len(feed.routes) >= 3
    assert all(stop.area_id and stop.latitude for stop in feed.stops)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"routes.txt": None}, "no routes.txt"),
        ({"stop_times.txt": None}, "no stop_times.txt"),
        ({"routes.txt": "route_id,route_short_name\nr-1,1\n"}, "routes.txt has no column route_type"),
        ({"stops.txt": "name\nx\n"}, "stops.txt has no columns stop_id, stop_name"),
        ({"stops.txt": ""}, "stops.txt is empty"),
        ({"areas.txt": "area_name\nx\n"}, "areas.txt has no column area_id"),
        ({"routes.txt": "route_id,route_type,route_id\nr-1,3,r-1\n"}, "names the column route_id twice"),
        ({"routes.txt": "route_id,route_type,route_short_name\n"}, "holds no route"),
        (
            {"routes.txt": "route_id,route_type,route_short_name\n,3,1\n"},
            "routes.txt, line 2, column route_id",
        ),
        ({"routes.txt": "route_id,route_type,route_short_name\nr-1,3,\n"}, "line 2, column route_short_name"),
        (
            {"routes.txt": "route_id,route_type,route_short_name\nr-1,3,1\nr-1,3,2\n"},
            "routes.txt, line 3, column route_id",
        ),
        (
            {"routes.txt": "route_id,route_type,route_short_name,agency_id\nr-1,3,1,b\n"},
            "routes.txt, line 2, column agency_id",
        ),
        ({"stops.txt": "stop_id,stop_name,stop_lat\ns-1,x,north\n"}, "stops.txt, line 2, column stop_lat"),
        ({"stops.txt": "stop_id,stop_name,stop_lat\ns-1,x,nan\n"}, "stops.txt, line 2, column stop_lat"),
        ({"stops.txt": "stop_id,stop_name,stop_lon\ns-1,x,181\n"}, "stops.txt, line 2, column stop_lon"),
        ({"stop_areas.txt": "area_id,stop_id\nmoon,s-1\n"}, "stop_areas.txt, line 2, column area_id"),
        ({"trips.txt": "route_id,service_id,trip_id\nr-9,all,t\n"}, "trips.txt, line 2, column route_id"),
        ({"stops.txt": 'stop_id,stop_name\ns-1,"x"y\n'}, "stops.txt, line 2: this is not well-formed CSV"),
        ({"stops.txt": "stop_id,stop_name\ns-1,a,b\n"}, "stops.txt, line 2: 3 fields under 2 columns"),
        (
            {"stops.txt": "stop_id,stop_name\ns-1,\xe9\n".encode("latin-1")},
            "stops.txt, line 2: the text is not UTF-8",
        ),
    ],
)
def test_a_fault_names_its_place(
    tmp_path: Path, changed: dict[str, str | bytes | None], expected: str
) -> None:
    with pytest.raises(FeedFault) as fault:
        read_feed(write_zip(tmp_path / "feed.zip", changed))
    assert expected in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_stop_in_two_areas_is_refused(tmp_path: Path) -> None:
    changed: dict[str, str | bytes | None] = {
        "areas.txt": "area_id,area_name\ncity,x\nhill,y\n",
        "stop_areas.txt": "area_id,stop_id\ncity,s-1\nhill,s-1\n",
    }
    with pytest.raises(FeedFault, match=r"stop_areas\.txt, line 3, column stop_id"):
        read_feed(write_zip(tmp_path / "feed.zip", changed))


def test_what_is_no_feed_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeedFault, match="There is no feed at"):
        read_feed(tmp_path / "nothing.zip")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and then noise")
    with pytest.raises(FeedFault, match="not a readable zip file"):
        read_feed(broken)


def test_a_damaged_file_inside_a_zip_is_told(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "feed.zip")
    content = bytearray(path.read_bytes())
    place = content.index(b"Test Lines")
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(FeedFault, match=r"agency\.txt in .* cannot be read"):
        read_feed(path)
