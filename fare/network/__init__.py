"""The network: lines, stops and areas loaded from GTFS. It prices nothing and knows no bus."""

from __future__ import annotations

from fare.network.gtfs import FeedFault
from fare.network.lines import (
    AreaView,
    FeedReport,
    LineView,
    areas,
    import_feed,
    line_names,
    lines,
    shows_sample,
)

__all__ = [
    "AreaView",
    "FeedFault",
    "FeedReport",
    "LineView",
    "areas",
    "import_feed",
    "line_names",
    "lines",
    "shows_sample",
]
