"""Which column of an outside file is what: a profile is data, one TOML file for each kind of file.

    kind = "psp" | "bank"     delimiter   encoding
    calendar = "gregorian" | "jalali"     unit = "rial" | "toman"
    [columns]                 our name = the heading in the file

A PSP's columns: psp_reference, terminal, amount, paid_day, and deposit_reference where it has one. A bank's:
booked_day, reference, text where it has one, and amount (signed) or amount_in and amount_out.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from fare.core.calendar import Calendar
from fare.core.errors import OperatorError
from fare.core.money import Unit

FileKind = Literal["psp", "bank"]
PSP_DEFAULT: Final = "psp-csv"
BANK_DEFAULT: Final = "bank-csv"

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "psp": ("psp_reference", "terminal", "amount", "paid_day"),
    "bank": ("booked_day", "reference"),
}
_OPTIONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "psp": ("deposit_reference",),
    "bank": ("text", "amount", "amount_in", "amount_out"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of file is read. `columns` maps our names to the file's headings."""

    name: str
    kind: FileKind
    delimiter: str
    encoding: str
    calendar: Calendar
    unit: Unit
    columns: Mapping[str, str]


def load_profile(name: str, kind: FileKind) -> Profile:
    """A profile that comes with the program, by name, or one's own, by the path of its TOML file.

    Raises OperatorError when there is none, when it is for another kind of file, or when it is not complete.
    """
    path = Path(name) if name.endswith(".toml") else Path(__file__).parent / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        known = ", ".join(sorted(file.stem for file in Path(__file__).parent.glob(f"{kind}*.toml")))
        raise OperatorError(
            f"There is no profile '{name}': use one of {known}, or the path of your own .toml file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise OperatorError(f"The profile {name} is not a TOML file ({fault}): correct it.") from None
    return _checked(name, kind, document)


def _checked(name: str, kind: FileKind, document: dict[str, Any]) -> Profile:
    def wrong(what: str) -> OperatorError:
        return OperatorError(f"The profile {name} cannot be used: {what}.")

    if document.get("kind") != kind:
        raise wrong(f"it is for '{document.get('kind')}' files, and this is a {kind} file")
    unknown = set(document) - {"kind", "delimiter", "encoding", "calendar", "unit", "columns"}
    if unknown:
        raise wrong(f"it has an unknown setting '{min(unknown)}'")
    columns = document.get("columns")
    if not isinstance(columns, dict) or not all(
        isinstance(heading, str) for heading in cast("dict[str, object]", columns).values()
    ):
        raise wrong("[columns] maps our names to headings in quotes")
    headings = cast("dict[str, str]", columns)
    missing = set(_REQUIRED[kind]) - set(headings)
    if missing:
        raise wrong(f"[columns] does not say which heading is '{min(missing)}'")
    strange = set(headings) - {*_REQUIRED[kind], *_OPTIONAL[kind]}
    if strange:
        raise wrong(f"[columns] has an unknown name '{min(strange)}'")
    split = {"amount_in", "amount_out"} <= set(headings)
    if kind == "bank" and ("amount" in headings) == split:
        raise wrong("[columns] has either 'amount' or both 'amount_in' and 'amount_out'")
    calendar, unit = document.get("calendar", "gregorian"), document.get("unit", "rial")
    if calendar not in {"gregorian", "jalali"}:
        raise wrong("calendar is gregorian or jalali")
    if unit not in {"rial", "toman"}:
        raise wrong("unit is rial or toman")
    delimiter, encoding = document.get("delimiter", ","), document.get("encoding", "utf-8")
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise wrong("delimiter is one character")
    try:
        codecs.lookup(str(encoding))
    except LookupError:
        raise wrong(f"there is no encoding '{encoding}'") from None
    return Profile(name, kind, delimiter, str(encoding), Calendar(calendar), cast("Unit", unit), headings)
