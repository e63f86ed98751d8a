"""One validator put together: journal, bundles, rules, uplink, reader, threads. Every part is given or
built here, in one place, and none of them knows the others.

`compose` builds it without starting anything: a simulated city drives taps and rounds by hand with its own
clock, the command line starts the threads.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from fare.core.kit import Kit
from readers.addresses import Equipment
from readers.bundles import Bundles
from readers.clock import SystemClock
from readers.display import AllDisplays, LastShown
from readers.in_view import RideInView
from readers.inspection_switch import InspectionSwitch
from readers.journal import Journal, JournalFault
from readers.journal_store import FreeSpace
from readers.kit import device_key, require_private_line
from readers.ports import Clock, RandomBytes, ReaderFault, ScannerEngine, Storage
from readers.scanners.serving import ScannerThreads
from readers.shown import Shown
from readers.sync import Enrolment, Synchroniser, SyncThread
from readers.uplink import DeviceIdentity, HttpUplink
from readers.validation import INSPECTION_WINDOW_S, Validator
from readers.vehicle_memory.composing import ShareWith, door_memory
from readers.vehicle_memory.keeping import GatewayThread
from readers.vehicle_memory.port import SharedRides

CARD_WAIT_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class ValidatorOptions:
    """What may differ between two validators of one kit. Times in seconds."""

    state: Path
    ledger_url: str | None = None
    poll_s: float = 30.0
    linger_s: float = 0.5
    gateway_url: str | None = field(default=None, repr=False)
    """The vehicle's gateway, which may carry a password; None where no other door shares this vehicle."""
    inspect: bool = False
    """It only tells an inspector who has paid, and sells nothing, from the start to the end."""
    inspection_window_s: int = INSPECTION_WINDOW_S
    inspect_vehicle: str | None = None
    """The vehicle an inspector's handheld is taken to; None: where the bundle says this device is."""


class ValidatorProcess:
    """A composed validator. Use `start`/`stop`, or drive `tap_next_card`, `scan` and `synchroniser.step`."""

    def __init__(
        self,
        *,
        kit: Kit,
        equipment: Equipment,
        journal: Journal,
        bundles: Bundles,
        validator: Validator,
        uplink: HttpUplink,
        synchroniser: Synchroniser,
        sync_thread: SyncThread,
        inspection: InspectionSwitch,
        shared: SharedRides | None = None,
    ) -> None:
        self.kit = kit
        self.equipment = equipment
        self.journal = journal
        self.bundles = bundles
        self.uplink = uplink
        self.synchroniser = synchroniser
        self.clock = inspection.clock
        self.display = LastShown()
        self._displays = AllDisplays(self.display, equipment.lamps)
        self.reader_problem = ""
        self._validator = validator
        self.inspection = inspection
        self._sync_thread = sync_thread
        self._stopping = threading.Event()
        self._in_view = RideInView(inspection.clock)
        self.scanners = ScannerThreads(equipment.scanners, self._scanned)
        self.shared = shared
        """What the doors of this vehicle share about paid tickets; None where nothing is shared."""
        self._gateway_thread = None if shared is None else GatewayThread(shared)
        self._card_thread = threading.Thread(target=self._serve_cards, name="cards", daemon=True)

    @property
    def problem(self) -> str:
        """Why no card can ride now, for whoever repairs it: the reader, or the store of the keys."""
        return self.reader_problem or self._validator.keys_problem

    @property
    def scanner_problem(self) -> str:
        """Why some scanner cannot read tickets now, for whoever repairs it; empty if none fails."""
        return self.scanners.problem

    # --- by hand ---

    def tap_next_card(self, timeout_s: float) -> Shown | None:
        """Wait for a card, take it through its tap, and show it; None when none came. Raises ReaderFault."""
        link = self.equipment.reader.wait_for_card(timeout_s)
        if link is None:
            return None
        try:
            inspecting = self.inspection.is_on(used=True)
            shown = (self._validator.inspect_card if inspecting else self._validator.present_card)(link)
        finally:
            with contextlib.suppress(ReaderFault):
                link.close()
        self._answer(shown)
        return shown

    def scan(self, text: str) -> Shown:
        """Decide on a scanned text, or only look at it while inspecting, and show the answer."""
        inspecting = self.inspection.is_on(used=True)
        shown = (self._validator.inspect_ticket if inspecting else self._validator.present_ticket)(text)
        self._answer(shown)
        return shown

    # --- the switch of the uplink ---

    def cut_uplink(self) -> None:
        """Really cut the line."""
        self.uplink.cut()

    def restore_uplink(self) -> None:
        """Restore it, and catch up at once."""
        self.uplink.restore()
        self._sync_thread.line_restored()

    # --- by itself ---

    def start(self) -> None:
        """Serve cards and scanners, and keep in step with the ledger."""
        if self._gateway_thread is not None:
            self._gateway_thread.start()
        self._sync_thread.start()
        self._card_thread.start()
        self.scanners.start()

    def stop(self) -> None:
        """Finish what is under way and close everything; the journal keeps all that was not sent."""
        self._stopping.set()
        self.scanners.stop()
        if self._card_thread.is_alive():
            self._card_thread.join(timeout=5)
        self._sync_thread.stop()
        if self._gateway_thread is not None:
            self._gateway_thread.stop()
        with contextlib.suppress(JournalFault):
            self.journal.settle_intent()
        self.uplink.close()
        self.journal.close()
        self.equipment.close()

    def _scanned(self, text: str) -> None:
        """What a scanner read: a phone that is still held there after its green lamp is passed over."""
        if not self._in_view.holds(text):
            self._in_view.answered(text, self.scan(text))

    def _answer(self, shown: Shown) -> None:
        self._displays.show(shown)
        if shown.seq is not None:
            self._sync_thread.tap_written()

    def _serve_cards(self) -> None:
        while not self._stopping.is_set():
            try:
                shown = self.tap_next_card(CARD_WAIT_S)
                self.reader_problem = ""
                if shown is not None:
                    self._wait_for_removal()
            except ReaderFault as fault:
                # The reader is gone; phones go on, and it is tried again.
                self.reader_problem = str(fault)
                self._stopping.wait(1.0)

    def _wait_for_removal(self) -> None:
        while not self._stopping.is_set() and not self.equipment.reader.wait_for_removal(CARD_WAIT_S):
            pass


def compose(
    kit: Kit,
    equipment: Equipment,
    options: ValidatorOptions,
    *,
    clock: Clock | None = None,
    random_bytes: RandomBytes = secrets.token_bytes,
    storage: Storage | None = None,
    scanners: Sequence[ScannerEngine] = (),
    share: ShareWith | None = None,
) -> ValidatorProcess:
    """Build a validator. Raises OperatorError for a state folder, a key or a journal that cannot be used.

    `share` is the way to what the doors of one process share, instead of the options' gateway.
    """
    ledger_url = options.ledger_url or kit.ledger_url
    require_private_line(ledger_url)
    key = device_key(options.state)
    journal = Journal(options.state, kit.device, random_bytes)
    try:
        bundles = Bundles(journal, kit.device, kit.bundle_keys)
        time = clock if clock is not None else SystemClock(_floor_ms(journal, bundles))
        uplink = HttpUplink(ledger_url, DeviceIdentity(kit.device, key), time, random_bytes)
        share = share or _gateway(options.gateway_url)
        memory, shared = door_memory(
            share, journal, bundles, time, options.inspect_vehicle if options.inspect else None
        )
        validator = Validator(
            keys=kit.card_keys,
            journal=journal,
            bundles=bundles,
            clock=time,
            random_bytes=random_bytes,
            storage=storage if storage is not None else FreeSpace(options.state),
            memory=memory,
            redeem=uplink.redeem,
            inspection_window_s=options.inspection_window_s,
        )
        synchroniser = Synchroniser(
            enrolment=Enrolment(kit.device, key, kit.claim_code),
            journal=journal,
            bundles=bundles,
            uplink=uplink,
            clock=time,
        )
    except BaseException:
        journal.close()
        raise
    return ValidatorProcess(
        kit=kit,
        equipment=replace(equipment, scanners=(*equipment.scanners, *scanners)),
        journal=journal,
        bundles=bundles,
        validator=validator,
        uplink=uplink,
        synchroniser=synchroniser,
        sync_thread=SyncThread(synchroniser, random_bytes, poll_s=options.poll_s, linger_s=options.linger_s),
        inspection=InspectionSwitch(time, always=options.inspect),
        shared=shared,
    )


def _gateway(url: str | None) -> ShareWith | None:
    """The way to the vehicle's gateway. Raises OperatorError for an address that is none."""
    if url is None:
        return None
    # A vehicle with one door runs without it.
    from readers.vehicle_memory.redis import gateway_at  # noqa: PLC0415

    return gateway_at(url)


def _floor_ms(journal: Journal, bundles: Bundles) -> int:
    """A wall time that certainly has passed: of the newest bundle and of the newest acknowledgement."""
    loaded = bundles.current
    issued_ms = 0 if loaded is None else loaded.bundle.issued_at_s * 1000
    return max(issued_ms, journal.newest_synchronised_ms())
