"""Reader profiles: what differs between two models of PC/SC reader, as data. It sends nothing to a reader.

One TOML file a model, in the folders of the entry-point group `mancard.reader_profiles` and in the folder
that MANCARD_READER_PROFILES names (a site's own; its files win). The form is strict: an unknown field is a
misspelt one.

    model = "ACS ACR122U"               a person's name for it
    names = ["ACS ACR122U"]             beginnings of its PC/SC names
    contact_slot_marks = ["SAM"]        a name with one of these is a contact slot, not the antenna
    usb_ids = ["072f:2200"]
    setup = ["FF 00 52 00 00"]          escape commands for a reader that has just come
    install = ["E0 00 00 21 01 77"]     the same for what the reader keeps: sent once, by a technician
    card_lost = ["63 00"]               whole answers that mean: the card has left. The rider then reads
                                        "hold it longer", not "not genuine"; no debit depends on it
    apdu_timeout_ms = 2000              a reader that takes longer hangs
    hold_ms = 1500                      how long an answer is shown before `idle`
    unconfirmed = ["card_lost"]         fields that no public source confirms: the technician is told
    notes = "…"                         for the technician
    [lamps]                             escape commands; a colour left out shows nothing
    green = ["…"]  amber = [ ]  red = [ ]  idle = [ ]
    [sources]                           where a field comes from; required for every field with bytes
    setup = "…"
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from fare.core.errors import OperatorError

GROUP: Final = "mancard.reader_profiles"
SITE_VARIABLE: Final = "MANCARD_READER_PROFILES"
MOST_ESCAPE_BYTES: Final = 255
MOST_COMMANDS: Final = 8
_USB_ID: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_COLOURS: Final = ("green", "amber", "red", "idle")
_PLAIN_FIELDS: Final = (
    "model",
    "names",
    "contact_slot_marks",
    "usb_ids",
    "apdu_timeout_ms",
    "hold_ms",
    "notes",
)
_SOURCED: Final = {
    "names": "its name",
    "usb_ids": "its USB number",
    "setup": "what is sent to it at each plug",
    "install": "the settings that it keeps",
    "card_lost": "what it answers when a card has left",
    "lamps": "its lamp and buzzer commands",
}
_FIELDS: Final = frozenset((*_PLAIN_FIELDS, *_SOURCED, "unconfirmed", "sources"))


@dataclass(frozen=True, slots=True)
class LampCommands:
    """Escape commands for each answer; empty where the reader cannot show it."""

    green: tuple[bytes, ...] = ()
    amber: tuple[bytes, ...] = ()
    red: tuple[bytes, ...] = ()
    idle: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """One model of reader; the module describes the fields."""

    model: str
    names: tuple[str, ...]
    contact_slot_marks: tuple[str, ...] = ()
    usb_ids: tuple[str, ...] = ()
    setup: tuple[bytes, ...] = ()
    install: tuple[bytes, ...] = ()
    card_lost: frozenset[bytes] = frozenset()
    apdu_timeout_ms: int = 2000
    hold_ms: int = 1500
    unconfirmed: tuple[str, ...] = ()
    notes: str = ""
    lamps: LampCommands = field(default_factory=LampCommands)

    @property
    def contact_slots(self) -> tuple[tuple[str, str], ...]:
        """Pairs (beginning, mark): what is no antenna when a reader is looked for by name."""
        return tuple((name, mark) for name in self.names for mark in self.contact_slot_marks)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What no public source confirms, in words with the field's name."""
        return tuple(f"{_SOURCED[name]} ({name})" for name in self.unconfirmed)

    @property
    def has_lamps(self) -> bool:
        """Whether anything is known to light or sound."""
        return any(getattr(self.lamps, colour) for colour in _COLOURS)


PLAIN: Final = Profile("a reader without a profile", ())
"""Any CCID reader: cards work, lamps stay as the reader itself sets them."""


def load_profiles() -> tuple[Profile, ...]:
    """All profiles, a site's own first. Raises OperatorError naming file, field and the mend."""
    folders: list[Path] = []
    site = os.environ.get(SITE_VARIABLE)
    if site:
        folders.append(Path(site))
        if not folders[0].is_dir():
            raise OperatorError(
                f"{SITE_VARIABLE} names the folder {site}, which is not there: make it, or unset it."
            )
    folders += [cast("Callable[[], Path]", found.load())() for found in entry_points(group=GROUP)]
    return tuple(read_profile(path) for folder in folders for path in sorted(folder.glob("*.toml")))


def profile_of(reader: str, profiles: Sequence[Profile]) -> Profile:
    """The profile of a reader by its PC/SC name: the longest beginning wins, then the earlier one."""
    best, length = PLAIN, 0
    for profile in profiles:
        for name in profile.names:
            if len(name) > length and reader.startswith(name):
                best, length = profile, len(name)
    return best


def read_profile(path: Path) -> Profile:
    """One file. Raises OperatorError naming file, field and the mend."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise OperatorError(f"The reader profile {path} cannot be read ({fault}): correct it.") from fault
    return _Form(path, document).profile()


class _Form:
    """One document, checked field by field."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self._path = path
        self._document = document
        self._sources = self._table("sources")

    def profile(self) -> Profile:
        self._known(self._document, _FIELDS, "")
        lamps = self._table("lamps")
        self._known(lamps, frozenset(_COLOURS), "lamps.")
        self._known(self._sources, frozenset(_SOURCED), "sources.")
        names = self._texts("names")
        if not names:
            raise self._wrong("names", "is empty", "give the beginning of its PC/SC name")
        shown = LampCommands(**{colour: self._commands(lamps, colour, "lamps.") for colour in lamps})
        made = Profile(
            model=self._text("model"),
            names=names,
            contact_slot_marks=self._texts("contact_slot_marks"),
            usb_ids=self._usb_ids(),
            setup=self._commands(self._document, "setup"),
            install=self._commands(self._document, "install"),
            card_lost=self._card_lost(),
            apdu_timeout_ms=self._number("apdu_timeout_ms", 2000, 100, 30_000),
            hold_ms=self._number("hold_ms", 1500, 0, 60_000),
            unconfirmed=self._unconfirmed(),
            notes=self._text("notes", ""),
            lamps=shown,
        )
        used = {
            "setup": made.setup,
            "install": made.install,
            "card_lost": made.card_lost,
            "lamps": made.has_lamps,
        }
        for name, value in used.items():
            if value and not isinstance(self._sources.get(name), str):
                raise self._wrong(f"sources.{name}", "is missing", "say where these bytes come from")
        return made

    def _wrong(self, name: str, what: str, mend: str) -> OperatorError:
        return OperatorError(f"The reader profile {self._path}: the field '{name}' {what}: {mend}.")

    def _known(self, table: dict[str, Any], known: frozenset[str], prefix: str) -> None:
        for name in table:
            if name not in known:
                raise self._wrong(
                    prefix + name, "is unknown", f"take it out or use one of {', '.join(sorted(known))}"
                )

    def _table(self, name: str) -> dict[str, Any]:
        found: object = self._document.get(name, {})
        if not isinstance(found, dict):
            raise self._wrong(name, "is no table", f"write it under [{name}]")
        return cast("dict[str, Any]", found)

    def _text(self, name: str, default: str | None = None) -> str:
        found = self._document.get(name, default)
        if not isinstance(found, str) or (default is None and not found):
            raise self._wrong(name, "is missing or no text", f'write {name} = "…"')
        return found

    def _texts(self, name: str) -> tuple[str, ...]:
        return self._list(self._document, name, "")

    def _list(self, table: dict[str, Any], name: str, prefix: str) -> tuple[str, ...]:
        found: object = table.get(name, [])
        items = cast("list[object]", found) if isinstance(found, list) else [None]
        texts = tuple(item for item in items if isinstance(item, str) and item)
        if len(texts) != len(items):
            raise self._wrong(prefix + name, "is no list of texts", f'write {name} = ["…"]')
        return texts

    def _unconfirmed(self) -> tuple[str, ...]:
        found = self._texts("unconfirmed")
        for name in found:
            if name not in _SOURCED or name not in self._document:
                raise self._wrong(
                    "unconfirmed", f"names '{name}'", "name fields of this file that [sources] may explain"
                )
        return found

    def _usb_ids(self) -> tuple[str, ...]:
        found = self._texts("usb_ids")
        for one in found:
            if not _USB_ID.fullmatch(one):
                raise self._wrong("usb_ids", f"has '{one}'", "write it as lsusb does, 072f:2200")
        return found

    def _commands(self, table: dict[str, Any], name: str, prefix: str = "") -> tuple[bytes, ...]:
        texts = self._list(table, name, prefix)
        if len(texts) > MOST_COMMANDS:
            raise self._wrong(prefix + name, f"has {len(texts)} commands", f"{MOST_COMMANDS} are the most")
        return tuple(self._hex(text, prefix + name, MOST_ESCAPE_BYTES) for text in texts)

    def _card_lost(self) -> frozenset[bytes]:
        found = [self._hex(text, "card_lost", 2) for text in self._texts("card_lost")]
        if any(len(answer) != 2 or answer[0] in (0x90, 0x91) for answer in found):
            raise self._wrong(
                "card_lost", "has an answer that a card may give", "write two bytes as in 63 00"
            )
        return frozenset(found)

    def _hex(self, text: str, name: str, most: int) -> bytes:
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise self._wrong(name, f"has '{text}'", "write whole bytes in hexadecimal") from None
        if not 1 <= len(raw) <= most:
            raise self._wrong(name, f"has {len(raw)} bytes in '{text}'", f"write 1 to {most}")
        return raw

    def _number(self, name: str, default: int, least: int, most: int) -> int:
        found: object = self._document.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self._wrong(name, f"is {found!r}", f"write a number from {least} to {most}")
        return found
