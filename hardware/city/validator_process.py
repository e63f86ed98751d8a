"""One validator of a simulated day, as its own process: the real parts of `readers`, an injected clock.

It reads one JSON command a line from standard input and answers each with one JSON line:

    {"op": "present", "taps": [Presentation …]}   -> {"shown": [{"lamp", "reason", "seq"} …]}
    {"op": "sync", "at_ms": n}                    -> {"ok": bool, "problem": str}
    {"op": "uplink", "cut": bool}                 -> {}
    {"op": "report"}                              -> {"taps": [{"seq", "outcome", "reason", …} …]}
    {"op": "stop"}

It exists for `mancard day` alone: a real validator (`readers.cli`) has no such door.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Any

from fare.core.tap import ClockQuality, Outcome, Tap
from hardware.city.plan import Presentation, Presented, Tear
from hardware.emulator.faults import Fault, FaultKind, Faults
from hardware.emulator.phone import VirtualPhone
from hardware.emulator.reader import InProcessReader
from readers.bundles import Bundles
from readers.journal import Journal
from readers.kit import device_key, read_kit
from readers.shown import Shown
from readers.sync import Enrolment, Synchroniser
from readers.uplink import DeviceIdentity, HttpUplink
from readers.validation import Validator

_COMMIT = 0xC7
_FIELD_TIMEOUT_S = 5.0


class InjectedClock:
    """A Clock that a command sets: synchronised, and as monotonic as the plan."""

    def __init__(self) -> None:
        self._wall_ms = 0

    def set_ms(self, wall_ms: int) -> None:
        """Move to a later instant, unix milliseconds."""
        self._wall_ms = max(self._wall_ms, wall_ms)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return self._wall_ms

    def mono_ns(self) -> int:
        """Nanoseconds that rise with the wall clock."""
        return self._wall_ms * 1_000_000

    def quality(self) -> ClockQuality:
        """A simulated day is always on time."""
        return ClockQuality.SYNCHRONISED

    def heard_server_time(self, server_time_ms: int) -> None:
        """The plan keeps the time."""


class RoomyDisk:
    """A Storage that is never full: filling disks is another test's work."""

    def free_bytes(self) -> int:
        """A terabyte."""
        return 1 << 40


class CityValidator:
    """A validator over the shared folder of virtual cards and phones."""

    def __init__(self, kit_folder: Path, state: Path, media: Path, clock: InjectedClock) -> None:
        kit = read_kit(kit_folder)
        key = device_key(state)
        self._clock = clock
        self._media = media
        self._texts: dict[int, str] = {}
        self.reader = InProcessReader(media, name=f"bus {kit.device}", faults=Faults())
        self.journal = Journal(state, kit.device, secrets.token_bytes)
        bundles = Bundles(self.journal, kit.device, kit.bundle_keys)
        self.validator = Validator(
            keys=kit.card_keys,
            journal=self.journal,
            bundles=bundles,
            clock=clock,
            random_bytes=secrets.token_bytes,
            storage=RoomyDisk(),
        )
        self.uplink = HttpUplink(kit.ledger_url, DeviceIdentity(kit.device, key), clock, secrets.token_bytes)
        self.synchroniser = Synchroniser(
            enrolment=Enrolment(kit.device, key, kit.claim_code),
            journal=self.journal,
            bundles=bundles,
            uplink=self.uplink,
            clock=clock,
        )

    def present(self, tap: Presentation) -> Shown:
        """Hold one medium to the validator at its planned instant."""
        self._clock.set_ms(tap.at_ms)
        match tap.kind:
            case Presented.CARD:
                return self._present_card(f"card-{tap.medium:05d}", tap.tear)
            case Presented.BLANK:
                return self._present_card(f"blank-{self.journal.device:05d}", tap.tear)
            case Presented.TICKET:
                phone = VirtualPhone.load(self._media, f"phone-{tap.medium:04d}")
                text = phone.ticket_text(tap.at_ms // 1000, tap.ctr)
                self._texts[tap.medium] = text
                return self.validator.present_ticket(text)
            case Presented.TICKET_AGAIN:
                return self.validator.present_ticket(self._texts[tap.medium])

    def _present_card(self, name: str, tear: Tear) -> Shown:
        kinds = {Tear.REPLY_LOST: FaultKind.CUT_AFTER, Tear.CUT_BEFORE_COMMIT: FaultKind.CUT_BEFORE}
        if tear in kinds:
            self.reader.faults.arm(Fault(kinds[tear], ins=_COMMIT))
        self.reader.place(name)
        try:
            link = self.reader.wait_for_card(_FIELD_TIMEOUT_S)
            if link is None:
                raise RuntimeError(f"the card {name} is not in the field of {self.reader.name}")
            try:
                return self.validator.present_card(link)
            finally:
                link.close()
        finally:
            self.reader.remove()
            self.reader.faults.clear()

    def report(self) -> list[dict[str, Any]]:
        """Every tap of the journal: what the bus itself knows to have happened."""
        newest = self.journal.next_seq - 1
        taps = (self.journal.tap(seq) for seq in range(1, newest + 1))
        return [_reported(tap) for tap in taps if tap is not None]


def _reported(tap: Tap) -> dict[str, Any]:
    evidence = tap.card
    return {
        "seq": tap.seq,
        "journal_id": tap.journal_id.hex(),
        "outcome": Outcome(tap.outcome).name.lower(),
        "reason": tap.reason,
        "fare_rial": tap.fare_rial,
        "carried_load": evidence is not None and evidence.delivered_version is not None,
        "recovers": tap.recovers,
    }


def _presentation(document: dict[str, Any]) -> Presentation:
    return Presentation(
        at_ms=document["at_ms"],
        vehicle=document["vehicle"],
        kind=Presented(document["kind"]),
        medium=document["medium"],
        tear=Tear(document["tear"]),
        ctr=document["ctr"],
    )


def _answer(city: CityValidator, clock: InjectedClock, command: dict[str, Any]) -> dict[str, Any]:
    match command["op"]:
        case "present":
            shown = [city.present(_presentation(tap)) for tap in command["taps"]]
            return {"shown": [{"lamp": str(s.lamp), "reason": s.reason, "seq": s.seq} for s in shown]}
        case "sync":
            clock.set_ms(command["at_ms"])
            return {"ok": city.synchroniser.step(), "problem": city.synchroniser.status.problem}
        case "uplink":
            (city.uplink.cut if command["cut"] else city.uplink.restore)()
            return {}
        case "report":
            return {"taps": city.report()}
        case unknown:
            raise RuntimeError(f"unknown command {unknown!r}")


def main(arguments: list[str]) -> None:
    """`python -m hardware.city.validator_process KIT STATE MEDIA START_MS`."""
    kit, state, media, start_ms = arguments
    clock = InjectedClock()
    clock.set_ms(int(start_ms))
    city = CityValidator(Path(kit), Path(state), Path(media), clock)
    for line in sys.stdin:
        command = json.loads(line)
        if command["op"] == "stop":
            break
        sys.stdout.write(json.dumps(_answer(city, clock, command)) + "\n")
        sys.stdout.flush()
    city.uplink.close()
    city.journal.close()


if __name__ == "__main__":
    main(sys.argv[1:])
