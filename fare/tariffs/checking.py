"""`mancard tariff check`: all that is wrong or odd in a tariff folder. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from fare.core.tariff.loading import LoadedTariff, TariffFault, TariffFaults, load_tariff
from fare.tariffs.source import read_tariff_files

EXIT_FAULTS = 1


def check_folder(path: Path) -> LoadedTariff:
    """Load a folder or zip; what keeps it from being read at all is among the faults."""
    try:
        files = read_tariff_files(path)
    except TariffFaults as refused:
        return LoadedTariff(None, refused.faults, ())
    return load_tariff(files)


def to_document(checked: LoadedTariff) -> dict[str, Any]:
    """The result as `--json` prints it."""
    return {
        "ok": not checked.faults,
        "faults": [_as_map(each) for each in checked.faults],
        "warnings": [_as_map(each) for each in checked.warnings],
    }


def check_command(
    folder: Annotated[Path, typer.Argument(help="A tariff folder, or a GTFS zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print faults and warnings as JSON.")] = False,
) -> None:
    """Say all that is wrong with a tariff folder: file, row, column, and what to do. Exit 1 on any fault."""
    checked = check_folder(folder)
    if as_json:
        typer.echo(json.dumps(to_document(checked), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(_lines(checked)))
    if checked.faults:
        raise typer.Exit(EXIT_FAULTS)


def _lines(checked: LoadedTariff) -> Iterable[str]:
    for each in checked.faults:
        yield f"Fault: {each}"
    for each in checked.warnings:
        yield f"Warning: {each}"
    warnings = _counted(len(checked.warnings), "warning")
    if checked.tariff is None:
        yield f"The tariff cannot be used: {_counted(len(checked.faults), 'fault')}, {warnings}."
        return
    tariff = checked.tariff
    rules = _counted(len(tariff.leg_rules), "leg rule")
    products = _counted(len({each.product_id for each in tariff.products}), "product")
    yield f"The tariff has no fault ({products}, {rules}, in {tariff.currency}), {warnings}."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _as_map(fault: TariffFault) -> dict[str, Any]:
    return {
        "file": fault.file,
        "row": fault.row,
        "column": fault.column,
        "problem": fault.problem,
        "mend": fault.mend,
    }
