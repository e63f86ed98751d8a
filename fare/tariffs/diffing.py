"""`mancard tariff diff OLD NEW CASES.json`: two tariffs compared, as a table for a terminal or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from fare.tariffs.cases import open_cases
from fare.tariffs.comparing import Comparison, Group, compare
from fare.tariffs.quoting import Language, language_of, refusals_told, write_json
from fare.tariffs.source import open_tariff

_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "case": "case",
        "rider_category": "rider category",
        "product": "product",
        "count": "count",
        "old": "old",
        "new": "new",
        "difference": "difference",
        "more": "pay more",
        "less": "pay less",
        "same": "the same",
        "all": "all",
        "everyone": "everyone",
        "not_compared": "could not be compared:",
    },
    "fa": {
        "case": "مورد",
        "rider_category": "گروه مسافر",
        "product": "محصول",
        "count": "تعداد",
        "old": "پیشین",
        "new": "تازه",
        "difference": "تفاوت",
        "more": "بیشتر می‌پردازند",
        "less": "کمتر می‌پردازند",
        "same": "بی‌تغییر",
        "all": "همه",
        "everyone": "همهٔ مسافران",
        "not_compared": "قابل مقایسه نیست:",
    },
}


def diff_command(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The tariff as it is: a folder or a zip.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The tariff as it shall be.")],
    cases: Annotated[Path, typer.Argument(metavar="CASES.json", help="Riders and their taps.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print facts for a machine.")] = False,
    language: Annotated[
        str, typer.Option("--language", metavar="fa|en", help="In which language the table is.")
    ] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the facts there, as JSON.")
    ] = None,
) -> None:
    """Compare two tariffs on cases: who pays more, who pays less, and the effect on revenue."""
    chosen = language_of(language)
    with refusals_told(chosen):
        before, after = open_tariff(old, unfinished=True), open_tariff(new, unfinished=True)
        riders = open_cases(cases)
    found = compare(before, after, riders, chosen)
    if as_json or out is not None:
        write_json(found.to_document(), out)
    if not as_json:
        typer.echo("\n".join(table(found, chosen)))
    if found.not_compared:
        raise typer.Exit(1)


def table(found: Comparison, language: Language) -> list[str]:
    """The comparison as lines for a terminal: the cases whose price changes, then the sums."""
    words = _WORDS[language]

    def amount(value: int | None, sign: bool = False) -> str:
        return "-" if value is None else _amount(value, found.exponent, found.currency, sign)

    heading = [words[key] for key in ("case", "rider_category", "old", "new", "difference")]
    rows = [
        [
            case.case_id,
            case.rider_category or words["everyone"],
            amount(case.old),
            amount(case.new),
            amount(case.difference, sign=True),
        ]
        for case in found.cases
        if case.difference
    ]
    lines = [*_columns(heading, rows, text_columns=2), ""] if rows else []
    counted = [words[key] for key in ("count", "old", "new", "difference", "more", "less", "same")]

    def cells(group: Group, name: str) -> list[str]:
        amounts = [amount(group.old), amount(group.new), amount(group.difference, sign=True)]
        return [name, str(group.count), *amounts, str(group.more), str(group.less), str(group.same)]

    for key, groups in (("rider_category", found.by_category), ("product", found.by_product)):
        if groups:
            listed = [cells(group, group.key or words["everyone"]) for group in groups]
            lines += [*_columns([words[key], *counted], listed, text_columns=1), ""]
    lines += _columns(["", *counted], [cells(found.total, words["all"])], text_columns=1)
    refused = [f"  {case.case_id}: {case.error}" for case in found.cases if case.error is not None]
    return [*lines, "", words["not_compared"], *refused] if refused else lines


def _columns(heading: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> list[str]:
    widths = [max(len(row[index]) for row in [heading, *rows]) for index in range(len(heading))]
    return [
        "  ".join(
            cell.ljust(width) if index < text_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [heading, *rows]
    ]


def _amount(value: int, exponent: int, currency: str, sign: bool) -> str:
    whole, minor = divmod(abs(value), 10**exponent)
    digits = f"{whole:,}" + (f".{minor:0{exponent}}" if exponent else "")
    mark = "-" if value < 0 else "+" if sign and value > 0 else ""
    return f"{mark}{digits} {currency}"
