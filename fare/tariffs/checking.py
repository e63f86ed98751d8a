"""`mancard tariff check`: all that is wrong or odd in a tariff folder. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fare.core.tariff.loading import LoadedTariff, TariffFault, TariffFaults, load_tariff
from fare.core.tariff.loading.saying import say, told
from fare.tariffs.quoting import Language, language_of
from fare.tariffs.source import read_tariff_files

EXIT_FAULTS = 1


def check_folder(path: Path) -> LoadedTariff:
    """Load a folder or zip; what keeps it from being read at all is among the faults."""
    try:
        files = read_tariff_files(path)
    except TariffFaults as refused:
        return LoadedTariff(None, refused.faults, ())
    return load_tariff(files)


def to_document(checked: LoadedTariff, language: Language = "en") -> dict[str, Any]:
    """The result as `--json` prints it."""
    return {
        "ok": not checked.faults,
        "faults": [_as_map(each, language) for each in checked.faults],
        "warnings": [_as_map(each, language) for each in checked.warnings],
    }


def check_command(
    folder: Annotated[Path, typer.Argument(help="A tariff folder, or a GTFS zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print faults and warnings as JSON.")] = False,
    language: Annotated[
        str, typer.Option("--language", metavar="fa|en", help="In which language the faults are.")
    ] = "en",
) -> None:
    """Say all that is wrong with a tariff folder: file, row, column, and what to do. Exit 1 on any fault."""
    chosen = language_of(language)
    checked = check_folder(folder)
    if as_json:
        typer.echo(json.dumps(to_document(checked, chosen), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(told(line, chosen) for line in _lines(checked)))
    if checked.faults:
        raise typer.Exit(EXIT_FAULTS)


def _lines(checked: LoadedTariff) -> Iterable[str]:
    for each in checked.faults:
        yield say("Fault: {fault}", fault=each.line())
    for each in checked.warnings:
        yield say("Warning: {warning}", warning=each.line())
    count = len(checked.warnings)
    warnings = say("1 warning") if count == 1 else say("{count:,} warnings", count=count)
    if checked.tariff is None:
        count = len(checked.faults)
        faults = say("1 fault") if count == 1 else say("{count:,} faults", count=count)
        yield say("The tariff cannot be used: {faults}, {warnings}.", faults=faults, warnings=warnings)
        return
    tariff = checked.tariff
    count = len(tariff.leg_rules)
    rules = say("1 leg rule") if count == 1 else say("{count:,} leg rules", count=count)
    count = len({each.product_id for each in tariff.products})
    yield say(
        "The tariff has no fault ({products}, {rules}, in {currency}), {warnings}.",
        products=say("1 product") if count == 1 else say("{count:,} products", count=count),
        rules=rules,
        currency=tariff.currency,
        warnings=warnings,
    )


def _as_map(fault: TariffFault, language: Language) -> dict[str, Any]:
    # The English is as plain as it always was: no marks of direction in what programs compare.
    words = partial(told, locale=language) if language == "fa" else str
    return {
        "file": fault.file,
        "row": fault.row,
        "column": fault.column,
        "problem": words(fault.problem),
        "mend": words(fault.mend),
    }
