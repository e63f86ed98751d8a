"""`mancard.toml` as values with the line of each key, within limits. It knows no key's meaning.

Fractions are read as decimals, never as floats: they are money.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from typing import Any, Final

from fare.core.tariff.loading.findings import Findings
from fare.core.tariff.loading.saying import say

FILE: Final = "mancard.toml"
MAX_BYTES: Final = 1 << 20
_MAX_DOTS: Final = 100
"""On one line: more would only be nesting, and nesting costs its square."""

_AT_LINE: Final = re.compile(r"at line (\d+)")
_HEADER: Final = re.compile(r"\s*(\[\[?)([^\[\]]*)\]")
_KEY: Final = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*)\s*="""
)
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'""")

Path = tuple[str | int, ...]
"""Keys from the outermost, and the places of tables in a list, counted from 0."""


class TomlText:
    """The parsed file. `values` is empty where it could not be read."""

    def __init__(self, content: bytes | None, findings: Findings) -> None:
        self.values: dict[str, Any] = {}
        self._lines: dict[Path, int] = {}
        if content is None:
            return
        text = _decoded(content, findings)
        if text is None:
            return
        try:
            self.values = tomllib.loads(text, parse_float=Decimal)
        except RecursionError:
            findings.fault(
                FILE,
                None,
                "",
                say("the tables are nested too deeply"),
                say("write them as docs/tariff.md shows"),
            )
        except (ValueError, ArithmeticError) as fault:
            found = _AT_LINE.search(str(fault))
            last = len(text.rstrip().split("\n")) if "end of document" in str(fault) else None
            problem = say("this is not well-formed TOML")
            if isinstance(fault, tomllib.TOMLDecodeError):
                detail = re.sub(r" ?[(]at .*", "", str(fault))[:120]
                problem = say("this is not well-formed TOML: {detail}", detail=detail)
            findings.fault(FILE, int(found[1]) if found else last, "", problem, say("correct this line"))
        else:
            self._lines = _located(text)

    def line(self, path: Path) -> int | None:
        """The line of a key, or of the nearest table around it."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None


def dotted(path: Path) -> str:
    """`("windows", 0, "seconds")` as a person counts: `windows[1].seconds`."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part[:60]}" if text else part[:60]
    return text


def _decoded(content: bytes, findings: Findings) -> str | None:
    if len(content) > MAX_BYTES:
        findings.fault(
            FILE,
            None,
            "",
            say("the file is larger than {mib} MiB", mib=MAX_BYTES >> 20),
            say("leave out what is no tariff"),
        )
        return None
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        findings.fault(FILE, line, "", say("the text is not UTF-8"), say("save the file again in UTF-8"))
        return None
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MAX_DOTS and line.lstrip()[:1] != "#":
            findings.fault(
                FILE,
                number,
                "",
                say("the line has more than {most} points", most=_MAX_DOTS),
                say("break it into several lines"),
            )
            return None
    return text


def _located(text: str) -> dict[Path, int]:
    """Keys at the beginning of a line, under the table above them; inside long texts only a guess."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _table_path(header[2], counts, is_list=header[1] == "[[")
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            path = table
            for part in _parts(key[1]):
                path = (*path, part)
                lines.setdefault(path, number)
    return lines


def _table_path(name: str, counts: dict[Path, int], *, is_list: bool) -> Path:
    path: Path = ()
    parts = _parts(name)
    for place, part in enumerate(parts):
        path = (*path, part)
        if place == len(parts) - 1 and is_list:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(key: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(key)]
