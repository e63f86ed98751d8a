"""Small tariff folders, written where they are used: lines by file name."""

from __future__ import annotations

from fare.core.tariff.loading import LoadedTariff, load_tariff

PRODUCTS = (
    "fare_product_id,fare_product_name,amount,currency\nsingle,Single,35000,IRR\nmonth,Month,900000,IRR\n"
)
RULES = "leg_group_id,fare_product_id\nbus,single\n"


def load(toml: str = "", /, **files: str) -> LoadedTariff:
    """Load the smallest folder, with `toml` as its mancard.toml and other files, named without ".txt"."""
    texts = {"fare_products": PRODUCTS, "fare_leg_rules": RULES, **files}
    contents = {f"{name}.txt": text.encode() for name, text in texts.items() if text}
    if toml:
        contents["mancard.toml"] = toml.encode()
    return load_tariff(contents)


def told(loaded: LoadedTariff) -> list[tuple[str, int | None, str]]:
    """Where the faults are."""
    return [(each.file, each.row, each.column) for each in loaded.faults]


def warned(loaded: LoadedTariff) -> list[tuple[str, int | None, str]]:
    """Where the warnings are."""
    return [(each.file, each.row, each.column) for each in loaded.warnings]
