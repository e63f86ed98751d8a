"""`make bench`: every measurement, as a table on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks import card_tap, qr_decision


def main() -> None:
    """Measure and print."""
    table = Table("what", "ours", "floor", "ratio", "aim", title="Ratios of one run")
    for measured in (card_tap.measure(), qr_decision.measure()):
        table.add_row(
            measured.what,
            f"{measured.ours_us:,.0f} µs",
            f"{measured.floor_us:,.0f} µs",
            f"{measured.ratio:.2f}",
            measured.aim,
        )
    Console().print(table)


if __name__ == "__main__":
    main()
