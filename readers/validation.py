"""One tap, from medium to lamp: pure orchestration over the ports. It holds no rule of its own (those are in
`fare.core`), no socket and no thread, and never shows green before the journal has the tap.

A card:   open · decide · INTENT · stage · Commit · OUTCOME · lamp
A phone:  examine · price · not yet paid here · tap with its claim · lamp

What went wrong decides by *when*: before INTENT nothing is written; while staging the card is certainly
unchanged, so the tap is refused with debit 0; from Commit on it is unconfirmed, and amber. The same card back
within 30 s, carrying exactly the record of that tap, is let on by its own proof without a second debit.

A reader that hangs inside an APDU must not stop the phones: a ticket that finds a card tap open for
longer than `HUNG_CARD_S` settles it as unconfirmed, and should the card's proof come after all, it is
journalled as a recovery.
"""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass, replace
from typing import Final

from fare.core.card_record import MAX_FARE_RIAL
from fare.core.decision import Boarding, CardView, Charge, Reason, Refused, decide_card, ticket_context
from fare.core.desfire import errors as card_errors
from fare.core.desfire.application import OpenCard, commit, open_card, run, stage
from fare.core.desfire.keys import CardKeyStore
from fare.core.desfire.layout import AID
from fare.core.entitlement import EntitlementFault, VerifiedEntitlement, decode, verify
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.proof.phone import CLOCK_SKEW_S, TicketRefusal, VerifiedTicket, examine
from fare.core.replay import ReplayMemory
from fare.core.tap import ClockQuality, Outcome, Tap
from fare.core.tariff.pricing import RiderState, price
from readers.bundles import Bundles, LoadedBundle
from readers.journal import RESERVE_BYTES, Journal, JournalFault, ReplayClaim
from readers.ports import Clock, Link, RandomBytes, ReaderFault, Storage
from readers.shown import Lamp, Shown, ShownMedium

RECOVERY_WINDOW_S: Final = 30
HUNG_CARD_S: Final = 2.0
REPEATED_SCAN_NS: Final = 5_000_000_000
UNSYNCHRONISED: Final = "clock_unsynchronised"

_FOREIGN_CARD: Final = (
    card_errors.NotACardOfThisSystem,
    card_errors.NoSuchApplication,
    card_errors.NoSuchFile,
    card_errors.NoSuchKey,
    card_errors.IllegalCommand,
    card_errors.LengthError,
    card_errors.MalformedAnswer,
)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the validator knows when a medium is presented; all of one tap is decided by it."""

    wall_ms: int
    mono_ns: int
    quality: ClockQuality
    loaded: LoadedBundle

    @property
    def line_name(self) -> str:
        return "" if self.loaded.here is None else self.loaded.here.line_name


class Validator:
    """Decides about media, one at a time for each kind.

    `present_card` and `present_ticket` may run in two threads.
    """

    def __init__(
        self,
        *,
        keys: CardKeyStore,
        journal: Journal,
        bundles: Bundles,
        clock: Clock,
        random_bytes: RandomBytes,
        storage: Storage,
    ) -> None:
        self._keys = keys
        self._journal = journal
        self._bundles = bundles
        self._clock = clock
        self._random_bytes = random_bytes
        self._storage = storage
        self._one_card = threading.Lock()
        # Guards the journal's order; waited on by tickets while a card's outcome is open. Never held over
        # an APDU.
        self._settled = threading.Condition(threading.RLock())
        self._replay = ReplayMemory.from_rows(journal.replay_rows())
        self._unconfirmed: dict[int, tuple[Tap, int]] = {}
        self._last_scan: tuple[str, int] | None = None
        self._remember_unconfirmed()

    # --- cards ---

    def present_card(self, link: Link) -> Shown:
        """Take a card through a whole tap. Raises nothing that a card, a reader or a disk may cause."""
        with self._one_card:
            try:
                return self._card(link)
            except JournalFault:
                return self._out_of_service(ShownMedium.CARD)

    def _card(self, link: Link) -> Shown:
        moment = self._moment()
        if moment is None:
            return self._out_of_service(ShownMedium.CARD)
        try:
            card = run(open_card(self._keys, lambda: self._random_bytes(16)), link.transmit)
        except (card_errors.CardTorn, ReaderFault):
            return self._amber(moment, Reason.HELD_TOO_SHORT)
        except _FOREIGN_CARD:
            return self._refuse_card(moment, Reason.NOT_OUR_CARD)
        except (card_errors.CardFault, ValueError):
            return self._refuse_card(moment, Reason.CARD_NOT_GENUINE)
        with self._settled:
            self._settle_left_open()
            torn = self._torn_tap_on(card, moment.loaded)
            if torn is not None:
                tap, on_card = torn
                return self._recover(moment, tap, card.previous, on_card.balance_rial(card.spent))
            charge = self._decide(moment, card)
            if isinstance(charge, Refused):
                return self._refuse_card(moment, charge.reason, card, charge.balance_rial)
            intent = self._intent(moment, card, charge)
            self._journal.write_intent(intent)
        try:
            return self._carry_out(moment, link, card, charge, intent)
        except JournalFault:
            # The card may be debited and the disk does not say so: never green, and the card's own record
            # tells the next time. The intent is settled before any other tap is written.
            return self._shown(moment, Lamp.AMBER, Reason.CARD_TORN, ShownMedium.CARD, seq=intent.seq)

    def _decide(self, moment: _Moment, card: OpenCard) -> Charge | Refused:
        here = moment.loaded.here
        if here is None:  # checked by _moment
            return Refused(Reason.OUT_OF_SERVICE)
        boarding = Boarding(
            self._journal.device, self._journal.next_seq, moment.wall_ms // 1000, here.line, here.area
        )
        view = CardView(card.uid, AID, card.entitlement, card.newest_record, card.spent)
        try:
            return decide_card(view, boarding, moment.loaded.bundle, moment.loaded.card_keys)
        except (ValueError, struct.error):  # totals at the very end of their range: the card must be replaced
            return Refused(Reason.BAD_ENTITLEMENT)

    def _intent(self, moment: _Moment, card: OpenCard, charge: Charge) -> Tap:
        evidence = CardEvidence(
            serial=charge.on_card.serial,
            entitlement_version=charge.on_card.version,
            delivered_version=None if charge.delivered is None else charge.in_force.version,
            record_read=card.newest_record,
            spent_before=card.spent,
            debit_rial=charge.price.amount_rial,
            record_written=charge.record,
            previous=card.previous,
            proof=None,
        )
        tap = self._tap(moment, Outcome.UNCONFIRMED, Reason.CARD_TORN, charge.price.amount_rial)
        return replace(tap, card=evidence)

    def _carry_out(self, moment: _Moment, link: Link, card: OpenCard, charge: Charge, intent: Tap) -> Shown:
        fare_rial = intent.fare_rial
        try:
            run(stage(card, fare_rial, charge.record, charge.delivered), link.transmit)
        except (card_errors.CardFault, ReaderFault) as fault:
            # Nothing is real on a card before Commit, and Commit was not sent: certainly no debit.
            torn = isinstance(fault, card_errors.CardTorn | ReaderFault)
            reason = Reason.HELD_TOO_SHORT if torn else Reason.CARD_NOT_GENUINE
            evidence = _as_read(card)
            refused = replace(intent, outcome=Outcome.REFUSED, reason=reason, fare_rial=0, card=evidence)
            self._outcome(refused)
            lamp = Lamp.AMBER if torn else Lamp.RED
            return self._shown(moment, lamp, reason, ShownMedium.CARD, seq=intent.seq)
        try:
            proof = run(commit(card), link.transmit)
        except (card_errors.CardFault, ReaderFault, ValueError):
            self._outcome(intent)
            self._watch_for(intent)
            return self._shown(moment, Lamp.AMBER, Reason.CARD_TORN, ShownMedium.CARD, seq=intent.seq)
        with self._settled:
            if self._journal.open_intent_seq != intent.seq:  # a ticket did not wait for this hung card
                return self._recover(moment, intent, proof, charge.balance_after_rial)
            evidence = _with_proof(intent, proof)
            accepted = replace(intent, outcome=Outcome.ACCEPTED, reason=Reason.OK, card=evidence)
            self._outcome(accepted)
        return replace(
            self._shown(moment, Lamp.GREEN, Reason.OK, ShownMedium.CARD, seq=intent.seq),
            fare_rial=fare_rial,
            balance_rial=charge.balance_after_rial,
        )

    def _outcome(self, tap: Tap) -> None:
        with self._settled:
            if self._journal.open_intent_seq == tap.seq:
                self._journal.write_outcome(tap)
            self._settled.notify_all()

    def _refuse_card(
        self,
        moment: _Moment,
        reason: Reason,
        card: OpenCard | None = None,
        balance_rial: int | None = None,
    ) -> Shown:
        with self._settled:
            self._settle_left_open()
            tap = self._tap(moment, Outcome.REFUSED, reason, 0)
            if card is not None:
                tap = replace(tap, card=_as_read(card))
            self._journal.write_tap(tap)
        shown = self._shown(moment, Lamp.RED, reason, ShownMedium.CARD, seq=tap.seq)
        return replace(shown, balance_rial=balance_rial)

    # --- torn taps ---

    def _remember_unconfirmed(self) -> None:
        """After a start: the tap found open was never shown to its rider, so its time begins now."""
        found = self._journal.found_open
        if found is not None:
            self._watch_for(found)
        oldest_ms = self._clock.wall_ms() - RECOVERY_WINDOW_S * 1000
        for tap in self._journal.open_unconfirmed():
            if tap.wall_ms >= oldest_ms:
                self._watch_for(tap)

    def _watch_for(self, unconfirmed: Tap) -> None:
        deadline_ns = self._clock.mono_ns() + RECOVERY_WINDOW_S * 1_000_000_000
        self._unconfirmed[unconfirmed.seq] = (unconfirmed, deadline_ns)

    def _settle_left_open(self) -> None:
        """An intent that is open while no card is under way was left by a disk that failed at its outcome."""
        left = self._journal.settle_intent()
        if left is not None:
            self._watch_for(left)

    def _torn_tap_on(self, card: OpenCard, loaded: LoadedBundle) -> tuple[Tap, VerifiedEntitlement] | None:
        """The unconfirmed tap of this validator that this very card committed last, while recoverable."""
        now_ns = self._clock.mono_ns()
        for seq, (tap, deadline_ns) in list(self._unconfirmed.items()):
            if now_ns > deadline_ns:
                del self._unconfirmed[seq]
                continue
            evidence = tap.card
            if (
                evidence is not None
                and evidence.record_written == card.newest_record
                and card.spent == evidence.spent_before + evidence.debit_rial
                and card.previous.tmc == evidence.previous.tmc + 1
            ):
                on_card = verify(card.entitlement, loaded.card_keys, uid=card.uid, aid=AID)
                if not isinstance(on_card, EntitlementFault) and on_card.serial == evidence.serial:
                    return tap, on_card
        return None

    def _recover(self, moment: _Moment, torn: Tap, proof: CommitProof, balance_rial: int) -> Shown:
        """Complete a torn tap by the card's own proof: accepted, no second debit."""
        tap = self._tap(moment, Outcome.ACCEPTED, Reason.OK, torn.fare_rial)
        self._journal.write_tap(replace(tap, recovers=torn.seq, card=_with_proof(torn, proof)))
        self._unconfirmed.pop(torn.seq, None)
        return replace(
            self._shown(moment, Lamp.GREEN, Reason.OK, ShownMedium.CARD, seq=tap.seq),
            fare_rial=torn.fare_rial,
            balance_rial=balance_rial,
            recovered=True,
        )

    # --- phones ---

    def present_ticket(self, text: str) -> Shown:
        """Decide on a scanned text. Raises nothing that a text or a disk may cause."""
        moment = self._moment()
        if moment is None:
            return self._out_of_service(ShownMedium.PHONE)
        synchronised = moment.quality is ClockQuality.SYNCHRONISED
        denied = moment.loaded.bundle.denied_tickets
        examined = examine(
            text, moment.loaded.channel_keys, moment.wall_ms // 1000, synchronised, denied.__contains__
        )
        try:
            with self._settled:
                self._wait_for_the_card()
                return self._ticket(moment, text, examined, synchronised)
        except JournalFault:
            return self._out_of_service(ShownMedium.PHONE)

    def _ticket(
        self, moment: _Moment, text: str, examined: VerifiedTicket | TicketRefusal, synchronised: bool
    ) -> Shown:
        if isinstance(examined, TicketRefusal):
            return self._refuse_ticket(moment, text, examined)
        claim = ReplayClaim(
            examined.entitlement.cti, examined.ctr, examined.pax, examined.entitlement.expires_at_s
        )
        if self._replay.paid(claim.cti, claim.ctr, claim.pax) or (
            not synchronised and self._replay.knows(claim.cti)
        ):
            return self._refuse_ticket(moment, text, TicketRefusal.ALREADY_PAID)
        tap = self._tap(moment, Outcome.ACCEPTED, Reason.OK, 0)
        boarding = Boarding(tap.device, tap.seq, tap.wall_ms // 1000, tap.line, tap.area)
        cost, _ = price(moment.loaded.bundle.tariff, RiderState(), ticket_context(examined, boarding))
        fare_rial = cost.amount_rial
        if fare_rial > min(examined.held_rial, MAX_FARE_RIAL):
            # The ledger holds no money for a dearer ride: the app fetches a ticket at the new tariff.
            return self._refuse_ticket(moment, text, Reason.INSUFFICIENT_BALANCE)
        flags = () if synchronised else (UNSYNCHRONISED,)
        self._journal.write_tap(replace(tap, fare_rial=fare_rial, ticket=text.strip(), flags=flags), claim)
        self._replay.remember(claim.cti, claim.ctr, claim.pax, claim.expires_at_s)
        if synchronised:
            self._replay.forget_expired(moment.wall_ms // 1000 - CLOCK_SKEW_S)
        self._last_scan = (text, moment.mono_ns)
        return replace(
            self._shown(moment, Lamp.GREEN, Reason.OK, ShownMedium.PHONE, seq=tap.seq),
            fare_rial=fare_rial,
            pax=examined.pax,
            rides_left=examined.entitlement.max_taps - (examined.ctr + examined.pax - 1),
        )

    def _refuse_ticket(self, moment: _Moment, text: str, reason: TicketRefusal | Reason) -> Shown:
        last, self._last_scan = self._last_scan, (text, moment.mono_ns)
        if last is not None and last[0] == text and moment.mono_ns - last[1] < REPEATED_SCAN_NS:
            # A scanner reads one screen many times a second: one presentation is one tap.
            return self._shown(moment, Lamp.RED, reason, ShownMedium.PHONE)
        tap = self._tap(moment, Outcome.REFUSED, reason, 0)
        self._journal.write_tap(tap)
        return self._shown(moment, Lamp.RED, reason, ShownMedium.PHONE, seq=tap.seq)

    def _wait_for_the_card(self) -> None:
        """Let a card tap that is under way finish; one that hangs becomes unconfirmed."""
        deadline_s = time.monotonic() + HUNG_CARD_S
        while self._journal.open_intent_seq is not None:
            left_s = deadline_s - time.monotonic()
            if left_s > 0 and self._one_card.locked():
                self._settled.wait(left_s)
                continue
            self._settle_left_open()

    # --- common ---

    def _moment(self) -> _Moment | None:
        """What is known now; None while the validator may not sell: no bundle, no place in it, no disk."""
        loaded = self._bundles.current
        if loaded is None or loaded.here is None:
            return None
        try:
            if self._storage.free_bytes() < RESERVE_BYTES:
                return None
        except OSError:
            return None
        return _Moment(self._clock.wall_ms(), self._clock.mono_ns(), self._clock.quality(), loaded)

    def _tap(self, moment: _Moment, outcome: Outcome, reason: Reason | TicketRefusal, fare_rial: int) -> Tap:
        here = moment.loaded.here
        return Tap(
            device=self._journal.device,
            journal_id=self._journal.journal_id,
            boot_id=self._journal.boot_id,
            seq=self._journal.next_seq,
            mono_ns=moment.mono_ns,
            wall_ms=moment.wall_ms,
            clock_quality=moment.quality,
            bundle_version=moment.loaded.bundle.version,
            outcome=outcome,
            reason=str(reason),
            fare_rial=fare_rial,
            line=0 if here is None else here.line,
            area=0 if here is None else here.area,
            tariff_version=moment.loaded.bundle.tariff.version,
        )

    def _shown(
        self, moment: _Moment, lamp: Lamp, reason: str, medium: ShownMedium, seq: int | None = None
    ) -> Shown:
        return Shown(lamp, str(reason), medium, moment.wall_ms, line_name=moment.line_name, seq=seq)

    def _amber(self, moment: _Moment, reason: Reason) -> Shown:
        return self._shown(moment, Lamp.AMBER, reason, ShownMedium.CARD)

    def _out_of_service(self, medium: ShownMedium) -> Shown:
        return Shown(Lamp.RED, Reason.OUT_OF_SERVICE, medium, self._clock.wall_ms())


def _as_read(card: OpenCard) -> CardEvidence | None:
    """What a card that is only read proves: the commit before. None when its serial cannot be read.

    The entitlement may be one that was refused, so this is what the card claims for its own UID.
    """
    try:
        claimed = decode(card.entitlement)
    except MalformedDocument:
        return None
    if claimed.uid != card.uid:
        return None  # it names another card, of which this chip can say nothing
    return CardEvidence(
        serial=claimed.serial,
        entitlement_version=claimed.version,
        delivered_version=None,
        record_read=card.newest_record,
        spent_before=card.spent,
        debit_rial=0,
        record_written=None,
        previous=card.previous,
        proof=None,
    )


def _with_proof(tap: Tap, proof: CommitProof) -> CardEvidence:
    if tap.card is None:
        raise JournalFault(f"tap {tap.seq} holds no card's evidence")
    return replace(tap.card, proof=proof)
