"""`make bench`: every measurement as a table, and on request as JSON and as a picture.

    python -m benchmarks [--quick] [--no-pcsc] [--json FILE] [--plot FILE.svg]

Ratios hold within one run; times are this machine's. Exits with 0 whatever was measured: it is no test.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import apdus, card_tap, over_pcsc, personalising, plot, qr_decision, tap_proof, tariff
from benchmarks.measuring import Effort, Measured
from benchmarks.pcsc_service import PcscMissing

USUAL = Effort(rounds=240, repeats=5)
TABLE_WIDTH = 120
QUICK = Effort(rounds=40, repeats=5)


def main() -> None:
    """Measure, print and write what was asked for."""
    asked = _arguments()
    effort = QUICK if asked.quick else USUAL
    lines = apdus.measure()
    for benchmark in (card_tap, tap_proof, qr_decision, tariff, personalising):
        lines += benchmark.measure(effort)
    if not asked.no_pcsc:
        try:
            lines += over_pcsc.measure(effort)
        except PcscMissing as missing:
            print(f"Nothing was measured over PC/SC: {missing}", file=sys.stderr)
    console = Console()
    Console(width=max(console.width, TABLE_WIDTH)).print(_table(lines))
    if asked.json is not None:
        asked.json.write_text(_document(lines))
    if asked.plot is not None:
        asked.plot.write_text(plot.picture(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against named floors.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look while developing")
    parser.add_argument("--no-pcsc", action="store_true", help="leave out what needs pcscd and vpcd")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of the ratios there (SVG)")
    return parser.parse_args()


def _table(lines: list[Measured]) -> Table:
    table = Table(title="Ratios of one run")
    table.add_column("what")
    for name in ("ours", "floor", "ratio", "aim", "a second"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.what,
            _number(line.ours, line.unit),
            "" if line.floor is None else _number(line.floor, line.unit),
            "" if line.ratio is None else f"{line.ratio:.2f}",
            _aim(line),
            "" if line.rate_per_s is None else f"{line.rate_per_s:,.1f}",
        )
    return table


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 or value == int(value) else f"{value:,.2f} {unit}"


def _aim(line: Measured) -> str:
    if line.most is None:
        return "–"
    return f"≤ {line.most:g}" + ("" if line.reached else "  missed")


def _document(lines: list[Measured]) -> str:
    where = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    rows = [asdict(line) | {"reached": line.reached, "rate_per_s": line.rate_per_s} for line in lines]
    return json.dumps({"format": 1, "measured_on": where, "lines": rows}, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    main()
