"""Marks in a tariff's names and ids that nobody sees: they would let a name say something else on a page.

Controls, line breaks, zero-width spaces, and marks that turn the direction of what stands beside them. The
joiners and direction marks that Persian is written with stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Tables
from fare.core.tariff.loading.toml_text import FILE
from fare.core.tariff.model import Tariff

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def refuse_unseen(tariff: Tariff, tables: Tables, findings: Findings) -> None:
    """Note each name or id of the tariff with a mark that nobody sees, and where it stands."""
    found = {text for text in _texts(tariff.to_document()) if _UNSEEN.search(text)}
    for text in sorted(found):
        file, row = _place(text, tables)
        problem = say("{value} holds a mark that nobody sees", value=shown(text))
        findings.fault(file, row, "", problem, say("type it again without the mark"))


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one


def _place(text: str, tables: Tables) -> tuple[str, int | None]:
    """The file that holds the text as it is, and its line; a name may stand behind "route:" and the like."""
    for wanted in (text, text.partition(":")[2]):
        for name in tables.names() if wanted else ():
            before, found, _ = (tables.content(name) or b"").partition(wanted.encode())
            if found:
                return name, before.count(b"\n") + 1
    return FILE, None
