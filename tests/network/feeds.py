"""Small feeds for tests, as files or as a zip, with any one thing changed."""

from __future__ import annotations

import zipfile
from pathlib import Path

SMALL_FEED = {
    "agency.txt": (
        "agency_id,agency_name,agency_url,agency_timezone\na,Test Lines,https://example.invalid,Asia/Tehran\n"
    ),
    "routes.txt": (
        "route_id,agency_id,route_short_name,route_long_name,route_type\n"
        "r-1,a,۱,میدان – دانشگاه,3\nr-2,a,2,,3\n"
    ),
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\ns-1,میدان,37.55,45.07\ns-2,دانشگاه,37.57,45.03\n",
    "areas.txt": "area_id,area_name\ncity,شهر\n",
    "stop_areas.txt": "area_id,stop_id\ncity,s-1\n",
    "trips.txt": "route_id,service_id,trip_id\nr-1,all,t-1\nr-2,all,t-2\n",
    "stop_times.txt": (
        "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
        "t-1,07:00:00,07:00:00,s-1,1\nt-1,07:20:00,07:20:00,s-2,2\n"
    ),
}


def write_zip(path: Path, changed: dict[str, str | bytes | None] | None = None) -> Path:
    """The small feed as a zip; None as content leaves a file out."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (SMALL_FEED | (changed or {})).items():
            if content is not None:
                archive.writestr(name, content)
    return path


def write_folder(path: Path, changed: dict[str, str | None] | None = None) -> Path:
    """The small feed as a folder."""
    path.mkdir(exist_ok=True)
    for name, content in (SMALL_FEED | (changed or {})).items():
        if content is not None:
            (path / name).write_text(content, encoding="utf-8")
    return path
