"""Target `tariffs`: a folder that somebody uploads, cases that somebody asks, a compiled form from anywhere.

A folder is a tariff or a list of faults, each with its file and a mend; nothing is raised. What loads is
written and read back as itself, and prices any tap: never below zero, and who does not board pays nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import fare.tariffs
from fare.core.errors import MalformedDocument
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.card_state import from_card, to_card
from fare.core.tariff.context import TapContext, TapKind
from fare.core.tariff.document import from_document
from fare.core.tariff.loading import load_tariff
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from fare.tariffs.cases import CaseFileRefused, read_cases
from fare.tariffs.quoting import quote_case
from fare.tariffs.source import read_tariff_files
from fuzz.choices import Choices
from fuzz.hostile_card import BrokenRule

_SAMPLES: Final = Path(fare.tariffs.__file__).parent / "samples"
_FOLDERS: Final = tuple(
    (read_tariff_files(folder), (folder / "cases.json").read_bytes())
    for folder in sorted(_SAMPLES.iterdir())
    if folder.is_dir()
)
_TARIFFS: Final = tuple(
    load_tariff(files, 1).tariff or Tariff(1, "", "IRR", 0, "UTC") for files, _ in _FOLDERS
)
_DOCUMENTS: Final = tuple(canonical(each.to_document()) for each in _TARIFFS)
_WORDS: Final = (
    b"", b"-1", b"0", b"99999999999999999999", b"1e9", b"NaN", b'"', b"\n", b",", b",,,,", b"\x00", b"\xff",
    b"[[", b"]", b"{", b"}", b"= ", b"'''", b"\xd9\xa3\xd9\xa5", b"true", b"single", b"amount",
    b"\n[tap_off]\n", b"\n[rounding]\nunit = 700\n", b"pass_back_seconds = 0\n", b"2026-13-45", b"24:00",
    b'\n[[caps]]\namount = 1\nperiod = "week"\n', b'\n[[windows]]\nseconds = 60\npays = "difference"\n',
    b"\xef\xbb\xbf",
)  # fmt: skip
_ROUTES: Final = (None, "5", "brt", "")
_PLACES: Final = (None, "1", "2", "3", "c1", "m1", "nowhere")


def check(data: bytes) -> None:
    """Play one input. Raises for whatever breaks a rule."""
    choices = Choices(data)
    files, cases = _FOLDERS[choices.number(len(_FOLDERS))]
    match choices.number(3):
        case 0:
            _folder(choices, dict(files))
        case 1:
            _cases(choices, cases)
        case _:
            _document(choices)


def seeds() -> list[bytes]:
    """Each sample as it is, its cases and its compiled form, and one change of each."""
    return [
        bytes((folder, kind, *more)) for folder in range(3) for kind in range(3) for more in ((), (1, 1, 9))
    ]


def _changed(choices: Choices, raw: bytes) -> bytes:
    """Some bytes of it cut out, and a word of our own in their place."""
    for _ in range(choices.number(4)):
        at, cut = choices.number(min(len(raw) + 1, 65_535)), choices.number(40)
        raw = raw[:at] + choices.pick(_WORDS) + raw[at + cut :]
    return raw


def _folder(choices: Choices, files: dict[str, bytes]) -> None:
    for _ in range(1 + choices.number(3)):
        name = choices.pick(sorted(files))
        files[name] = _changed(choices, files[name])
    loaded = load_tariff(files, 1, unfinished=bool(choices.number(2)))
    for fault in loaded.faults:
        if not fault.file or not fault.mend or not str(fault):
            raise BrokenRule(f"a fault says too little: {fault!r}")
    if (loaded.tariff is None) != bool(loaded.faults):
        raise BrokenRule("a folder is either a tariff or a list of faults")
    if loaded.tariff is not None:
        _holds(choices, loaded.tariff)


def _holds(choices: Choices, tariff: Tariff) -> None:
    if from_document(decode_canonical(canonical(tariff.to_document()))) != tariff:
        raise BrokenRule("the compiled form is another tariff")
    state, at_s = RiderState(), 1_795_300_000
    for _ in range(6):
        at_s += choices.number(20_000)
        tap = TapContext(
            at_s,
            choices.pick((TapKind.ON, TapKind.OFF)),
            medium=choices.pick((None, "card")),
            route=choices.pick(_ROUTES),
            area=choices.pick(_PLACES),
            stop=choices.pick(_PLACES),
            vehicle=choices.pick((None, "v1", "v2")),
            pax=1 + choices.number(3),
            balance=choices.pick((None, 0, 50_000)),
        )
        found, state = price(tariff, state, tap)
        if found.amount < 0 or (not found.boards and found.amount):
            raise BrokenRule(f"a tap was charged {found.amount}")
        from_card((tariff,), to_card(tariff, state, at_s), at_s)


def _cases(choices: Choices, raw: bytes) -> None:
    tariff = choices.pick(_TARIFFS)
    try:
        asked = read_cases(_changed(choices, raw))
    except CaseFileRefused as refused:
        if not str(refused):
            raise BrokenRule("a file was refused without a word") from refused
        return
    for case in asked:
        quoted = quote_case(tariff, case)
        json.dumps(quoted.to_document())
        if (quoted.total is None) != bool(quoted.error):
            raise BrokenRule(f"a case has a total and an error, or neither: {quoted!r}")


def _document(choices: Choices) -> None:
    raw = choices.pick(_DOCUMENTS)
    for _ in range(1 + choices.number(3)):
        raw = choices.flipped(raw)
    try:
        tariff = from_document(decode_canonical(raw))
    except MalformedDocument:
        return
    if from_document(decode_canonical(canonical(tariff.to_document()))) != tariff:
        raise BrokenRule("a compiled form is read as one thing and written as another")
