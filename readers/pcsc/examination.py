"""One reader examined step by step: a plain sentence each, with a mend for every failure. It writes no card.

The steps go from the machine to the card: kernel, service, reader, escape commands, lamps, card, chip, speed,
and ten times off and on. A step that cannot be done for want of an earlier one is left out, not failed twice.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fare.core.desfire.errors import CardFault
from fare.core.errors import OperatorError
from readers.pcsc.chips import chip_kind
from readers.pcsc.opening import open_with_profile
from readers.pcsc.profiles import Profile
from readers.pcsc.watched import WatchedLink, WatchedReader
from readers.ports import ReaderFault

MODULES: Final = Path("/proc/modules")
STEALING_MODULES: Final = frozenset(("pn533_usb", "pn533"))
READ_UID: Final = bytes.fromhex("FFCA000000")
TIMED_APDUS: Final = 50
SLOW_APDU_MS: Final = 15.0
"""A tap has 11 APDUs and 150 ms of reader time (14 each); what is slower is felt at the door."""
POWER_CYCLES: Final = 10
LAMP_S: Final = 1.0
CARD_BACK_S: Final = 3.0
NO_ESCAPE: Final = (
    "set ifdDriverOptions to 0x0001 in /etc/libccid_Info.plist (see hardware/README.md) and restart pcscd; "
    "taps work without it, lamp and buzzer do not"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found. `ok` None: worth knowing, nothing to mend."""

    ok: bool | None
    sentence: str
    mend: str = ""

    @property
    def mark(self) -> str:
        """The first column of the report."""
        return {True: "ok    ", False: "FAULT ", None: "note  "}[self.ok]


class Examination:
    """One run. `reader` may be the beginning of a name, or "" for the first reader there is."""

    def __init__(
        self,
        reader: str,
        tell: Callable[[Finding], None],
        *,
        card_wait_s: float = 15.0,
        with_lamps: bool = True,
        with_install: bool = False,
        modules: Path = MODULES,
    ) -> None:
        self._name = reader
        self._tell = tell
        self._card_wait_s = card_wait_s
        self._with_lamps = with_lamps
        self._with_install = with_install
        self._modules = modules
        self._sound = True

    def run(self) -> bool:
        """Whether nothing must be mended."""
        self._kernel()
        try:
            reader, profile = open_with_profile(self._name)
        except OperatorError as fault:
            # The sentence already ends with what to do.
            what, _, mend = str(fault).partition("): ")
            what += ")" if mend else ""
            self._fault(f"{what}.", mend.rstrip("."))
            return False
        with reader:
            try:
                self._reader(reader, profile)
            except ReaderFault as fault:
                self._fault(
                    f"The reader stopped answering: {fault}",
                    "unplug it, plug it in again and repeat the test; try another cable or USB port",
                )
        return self._sound

    def _good(self, sentence: str) -> None:
        self._tell(Finding(True, sentence))

    def _note(self, sentence: str, mend: str = "") -> None:
        self._tell(Finding(None, sentence, mend))

    def _fault(self, sentence: str, mend: str) -> None:
        self._sound = False
        self._tell(Finding(False, sentence, mend))

    def _kernel(self) -> None:
        try:
            loaded = {line.partition(" ")[0] for line in self._modules.read_text().splitlines()}
        except OSError:
            self._note("The kernel's modules cannot be read here.")
            return
        stealing = sorted(loaded & STEALING_MODULES)
        if stealing:
            self._fault(
                f"The kernel's own NFC driver is loaded ({', '.join(stealing)}): it takes readers away.",
                "install hardware/udev/mancard-readers.conf in /etc/modprobe.d, run 'modprobe -r pn533_usb', "
                "plug the reader in again",
            )
        else:
            self._good("The kernel's own NFC driver is not loaded.")

    def _reader(self, reader: WatchedReader, profile: Profile) -> None:
        name = self._full_name(reader)
        self._good(f"The PC/SC service runs and has the reader '{name}' ({profile.model}).")
        if not profile.names:
            self._note("No profile describes this model: cards work, its lamp and buzzer are left alone.")
        if profile.doubts:
            self._note(f"No public source confirms of this model: {', '.join(profile.doubts)}.")
        self._introduce(reader, name)
        self._escapes(reader, name, profile)
        link = reader.wait_for_card(0)
        if link is None:
            self._note(f"Lay a card on the reader within {self._card_wait_s:g} s.")
            link = reader.wait_for_card(self._card_wait_s)
        if link is None:
            self._fault(
                "No card was found, or another program holds it.",
                "lay a DESFire card flat on the reader, away from metal, and stop the validator meanwhile",
            )
            return
        try:
            self._card(link)
        finally:
            link.close()
        self._power_cycles(reader)

    def _full_name(self, reader: WatchedReader) -> str:
        names = [seen.name for seen in reader.survey()]
        return reader.choose_from(names) or reader.name

    def _introduce(self, reader: WatchedReader, name: str) -> None:
        try:
            told = reader.describe(name)
        except ReaderFault as fault:
            self._note(str(fault))
            return
        if told:
            self._note(
                "It says of itself: " + ", ".join(f"{what} {value}" for what, value in told.items()) + "."
            )

    def _escapes(self, reader: WatchedReader, name: str, profile: Profile) -> None:
        if not profile.has_lamps and not profile.setup and not profile.install:
            self._note("The profile knows no lamp and no buzzer of this reader.")
            return
        lamps = profile.lamps
        quiet_first = (profile.setup, lamps.idle, lamps.green, lamps.amber, lamps.red)
        try:
            for command in next((commands for commands in quiet_first if commands), ()):
                reader.escape(name, command)
            if self._with_install:
                for command in profile.install:
                    reader.escape(name, command)
        except ReaderFault as fault:
            self._fault(f"Lamp and buzzer stay silent: {fault}", NO_ESCAPE)
            return
        self._good("The reader takes escape commands.")
        if profile.install and self._with_install:
            self._good("The settings that this reader keeps are written.")
        elif profile.install:
            self._note("This reader keeps some settings: on a new one, give --install once.")
        if self._with_lamps:
            self._lamps(reader, name, profile)

    def _lamps(self, reader: WatchedReader, name: str, profile: Profile) -> None:
        lamps = profile.lamps
        for colour, commands in (("green", lamps.green), ("amber", lamps.amber), ("red", lamps.red)):
            if commands:
                self._note(f"Now it should show {colour}: look and listen.")
                for command in commands:
                    reader.escape(name, command)
                time.sleep(LAMP_S)  # for the eyes of the technician
        for command in lamps.idle:
            reader.escape(name, command)

    def _card(self, link: WatchedLink) -> None:
        self._good(f"A card is there, ATR {link.atr.hex(' ').upper()}.")
        try:
            kind, usable = chip_kind(link.atr, link.transmit)
        except CardFault as fault:
            self._fault(str(fault), "lay it down and leave it there, then repeat the test")
            return
        if usable:
            self._good(f"The chip is {kind}.")
        else:
            self._fault(f"The chip is {kind}.", "take a MIFARE DESFire EV2 or EV3: only these can be issued")
        self._speed(link)

    def _speed(self, link: WatchedLink) -> None:
        taken_ms: list[float] = []
        for _ in range(TIMED_APDUS):
            began_s = time.perf_counter()
            if not link.transmit(READ_UID):
                self._fault("The card left during the test.", "leave it lying still and repeat the test")
                return
            taken_ms.append((time.perf_counter() - began_s) * 1000)
        median_ms, slowest_ms = statistics.median(taken_ms), max(taken_ms)
        sentence = (
            f"A command takes {median_ms:.1f} ms (median of {TIMED_APDUS}, the slowest {slowest_ms:.1f})."
        )
        if median_ms > SLOW_APDU_MS:
            self._fault(
                sentence, "use a USB port of the computer itself without a hub, or another reader model"
            )
        else:
            self._good(sentence)

    def _power_cycles(self, reader: WatchedReader) -> None:
        for number in range(1, POWER_CYCLES + 1):
            link = reader.wait_for_card(CARD_BACK_S)
            if link is None or not link.transmit(READ_UID):
                self._fault(
                    f"The card did not come back after {number} times off and on.",
                    "try another card; if it stays so, the antenna or its supply is weak: another USB port, "
                    "then another reader",
                )
                return
            link.close()
        self._good(f"The card came back {POWER_CYCLES} times of {POWER_CYCLES} after off and on.")
