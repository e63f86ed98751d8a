"""A card, from the field to the lamp:   open · decide · INTENT · stage · Commit · OUTCOME · lamp

What went wrong decides by *when*: before INTENT nothing is written; while staging the card is certainly
unchanged, so the tap is refused with debit 0; from Commit on it is unconfirmed, and amber. The same card back
within 30 s, carrying exactly the record of that tap, is let on by its own proof without a second debit.

A denied card gets its block by the same steps, and red whatever becomes of it. Every tap of a card that
authenticated carries what it showed, also a refused one. No rule of who may ride stands here.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Final

from fare.core import card_record
from fare.core.decision import AlreadyPaid, CardView, Charge, Reason, Refused, decide_card
from fare.core.desfire import errors as card_errors
from fare.core.desfire.application import OpenCard, commit, open_card, run, stage
from fare.core.desfire.keys import CardKeyStore
from fare.core.desfire.layout import AID
from fare.core.desfire.transaction_mac import OUR_READING, Reading
from fare.core.entitlement import decode
from fare.core.errors import MalformedDocument
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.tap import Outcome, Tap
from readers.door import Door, Moment
from readers.journal import JournalFault
from readers.ports import KeyStoreFault, Link, RandomBytes, ReaderFault
from readers.shown import Lamp, Shown, ShownMedium

MAX_READING_MS: Final = 800
"""How long a card may take to be read before it is decided upon: 8 to 10 APDUs.

A USB reader needs about 10 ms for each, and a whole tap stays under 150 ms; a slow reader that retries some
of them stays under half a second. Whoever relays a card from elsewhere adds two hops of a mobile network to
each APDU, some 100 ms or more. A card that is refused for it may be tapped again at once.
"""

FOREIGN_CARD: Final = (
    card_errors.NotACardOfThisSystem,
    card_errors.NoSuchApplication,
    card_errors.NoSuchFile,
    card_errors.NoSuchKey,
    card_errors.IllegalCommand,
    card_errors.LengthError,
    card_errors.MalformedAnswer,
)


class CardTaps:
    """Takes cards through their taps, one at a time."""

    def __init__(
        self, door: Door, keys: CardKeyStore, random_bytes: RandomBytes, reading: Reading = OUR_READING
    ) -> None:
        self._door = door
        self._journal = door.journal
        self._keys = keys
        self._random_bytes = random_bytes
        self._reading = reading
        self.keys_problem = ""
        """Why the last card could not even be opened: what the store of the keys said; empty if it served."""

    def present(self, link: Link) -> Shown:
        """Take a card through a whole tap. Raises nothing that a card, a reader or a disk may cause."""
        with self._door.one_card:
            try:
                return self._card(link)
            except JournalFault:
                return self._door.out_of_service(ShownMedium.CARD)

    def _card(self, link: Link) -> Shown:
        door = self._door
        moment = door.moment()
        if moment is None:
            return door.out_of_service(ShownMedium.CARD)
        card = self._opened(moment, link)
        if isinstance(card, Shown):
            return card
        if door.clock.mono_ns() - moment.mono_ns > MAX_READING_MS * 1_000_000:
            # Also before a torn tap is completed: that needs the card at this door as much as a ride does.
            return self._refuse(moment, Reason.CARD_TOO_SLOW, card)
        with door.settled:
            door.torn.settle_left_open()
            torn = door.torn.committed_on(card, moment.loaded)
            if torn is not None:
                tap, on_card = torn
                return self._recover(moment, tap, card.previous, on_card.balance_rial(card.spent))
            decided = self._decide(moment, card)
            if isinstance(decided, AlreadyPaid):
                return self._already_paid(moment, card, decided)
            if isinstance(decided, Charge):
                intent = self._intended_ride(moment, card, decided)
            elif decided.block_record is not None:
                intent = self._intended_block(moment, card, decided.block_record)
            else:
                return self._refuse(moment, decided.reason, card, decided.balance_rial)
            self._journal.write_intent(intent)
        if isinstance(decided, Charge):
            return self._ride(moment, link, card, decided, intent)
        return self._block(moment, link, card, decided, intent)

    def _opened(self, moment: Moment, link: Link) -> OpenCard | Shown:
        """The card, authenticated and read; or the answer to one that could not be opened."""
        try:
            conversation = open_card(self._keys, lambda: self._random_bytes(16), self._reading)
            card = run(conversation, link.transmit)
        except KeyStoreFault as fault:
            # Nothing is wrong with the card, and another try would end alike: only the phones can ride now.
            self.keys_problem = str(fault)
            return self._door.out_of_service(ShownMedium.CARD)
        except (card_errors.CardTorn, ReaderFault):
            return self._shown(moment, Lamp.AMBER, Reason.HELD_TOO_SHORT)
        except card_errors.KeysOfAnotherGeneration:
            # Before the foreign cards, of which it is one by kind: this rider may hold a genuine card.
            return self._refuse(moment, Reason.KEYS_TOO_OLD)
        except FOREIGN_CARD:
            return self._refuse(moment, Reason.NOT_OUR_CARD)
        except (card_errors.CardFault, ValueError):
            return self._refuse(moment, Reason.CARD_NOT_GENUINE)
        self.keys_problem = ""
        return card

    def _decide(self, moment: Moment, card: OpenCard) -> Charge | AlreadyPaid | Refused:
        boarding = moment.boarding(self._journal)
        if boarding is None:  # checked by the door
            return Refused(Reason.OUT_OF_SERVICE)
        view = CardView(card.uid, AID, card.entitlement, card.newest_record, card.spent)
        try:
            return decide_card(view, boarding, moment.loaded.bundle, moment.loaded.card_keys)
        except (ValueError, struct.error):  # totals at the very end of their range: the card must be replaced
            return Refused(Reason.BAD_ENTITLEMENT)

    # --- a ride ---

    def _intended_ride(self, moment: Moment, card: OpenCard, charge: Charge) -> Tap:
        fare_rial = charge.price.amount
        evidence = CardEvidence(
            serial=charge.on_card.serial,
            entitlement_version=charge.on_card.version,
            delivered_version=None if charge.delivered is None else charge.in_force.version,
            record_read=card.newest_record,
            spent_before=card.spent,
            debit_rial=fare_rial,
            record_written=charge.record,
            previous=card.previous,
            proof=None,
        )
        tap = self._door.tap(moment, Outcome.UNCONFIRMED, Reason.CARD_TORN, fare_rial)
        return replace(tap, card=evidence, flags=charge.flags)

    def _ride(self, moment: Moment, link: Link, card: OpenCard, charge: Charge, intent: Tap) -> Shown:
        try:
            return self._carry_out(moment, link, card, charge, intent)
        except JournalFault:
            # The card may be debited and the disk does not say so: never green, and the card's own record
            # tells the next time. The intent is settled before any other tap is written.
            return self._shown(moment, Lamp.AMBER, Reason.CARD_TORN, intent.seq)

    def _carry_out(self, moment: Moment, link: Link, card: OpenCard, charge: Charge, intent: Tap) -> Shown:
        try:
            run(stage(card, intent.fare_rial, charge.record, charge.delivered), link.transmit)
        except (card_errors.CardFault, ReaderFault) as fault:
            # Nothing is real on a card before Commit, and Commit was not sent: certainly no debit.
            torn = isinstance(fault, card_errors.CardTorn | ReaderFault)
            reason = Reason.HELD_TOO_SHORT if torn else Reason.CARD_NOT_GENUINE
            refused = replace(
                intent, outcome=Outcome.REFUSED, reason=reason, fare_rial=0, card=_as_read(card)
            )
            self._outcome(refused)
            return self._shown(moment, Lamp.AMBER if torn else Lamp.RED, reason, intent.seq)
        try:
            proof = run(commit(card), link.transmit)
        except (card_errors.CardFault, ReaderFault, ValueError):
            with self._door.settled:
                self._outcome(intent)
                self._door.torn.watch(intent)
            return self._shown(moment, Lamp.AMBER, Reason.CARD_TORN, intent.seq)
        with self._door.settled:
            if self._journal.open_intent_seq != intent.seq:  # a ticket did not wait for this hung card
                return self._recover(moment, intent, proof, charge.balance_after_rial)
            evidence = _with_proof(intent, proof)
            self._outcome(replace(intent, outcome=Outcome.ACCEPTED, reason=Reason.OK, card=evidence))
        told = Reason.ALIGHTED if charge.alighting else Reason.OK
        return replace(
            self._shown(moment, Lamp.GREEN, told, intent.seq),
            fare_rial=intent.fare_rial,
            balance_rial=charge.balance_after_rial,
            on_pass=charge.on_pass,
            rule=charge.price.rule,
        )

    def _recover(self, moment: Moment, torn: Tap, proof: CommitProof, balance_rial: int) -> Shown:
        """Complete a torn tap by the card's own proof: accepted, no second debit."""
        tap = self._door.tap(moment, Outcome.ACCEPTED, Reason.OK, torn.fare_rial)
        first_seq = torn.seq if torn.recovers is None else torn.recovers
        evidence = _with_proof(torn, proof)
        self._journal.write_tap(replace(tap, recovers=first_seq, card=evidence, flags=torn.flags))
        self._door.torn.completed(torn)
        left = card_record.decode(evidence.record_written or b"").alighting
        return replace(
            self._shown(moment, Lamp.GREEN, Reason.ALIGHTED if left else Reason.OK, tap.seq),
            fare_rial=torn.fare_rial,
            balance_rial=balance_rial,
            recovered=True,
        )

    # --- no ride ---

    def _already_paid(self, moment: Moment, card: OpenCard, decided: AlreadyPaid) -> Shown:
        """Green, and the tap is told as one that took nothing and wrote nothing."""
        shown = self._refuse(moment, decided.reason, card, decided.balance_rial)
        return replace(shown, lamp=Lamp.GREEN)

    def _intended_block(self, moment: Moment, card: OpenCard, record: bytes) -> Tap:
        tap = self._door.tap(moment, Outcome.REFUSED, Reason.CARD_DENIED, 0)
        read = _as_read(card)
        return replace(tap, card=None if read is None else replace(read, record_written=record))

    def _block(self, moment: Moment, link: Link, card: OpenCard, refused: Refused, intent: Tap) -> Shown:
        """Write the denial on the card. Whatever becomes of it, the rider sees red."""
        outcome = replace(intent, card=_as_read(card))
        try:
            run(stage(card, 0, refused.block_record or b"", None), link.transmit)
            outcome = intent
            outcome = replace(intent, card=_with_proof(intent, run(commit(card), link.transmit)))
        except (card_errors.CardFault, ReaderFault, ValueError):
            pass  # `outcome` says how far it came; whether a lost Commit was done, the card tells next time
        try:
            with self._door.settled:
                if self._journal.open_intent_seq == intent.seq:
                    self._outcome(outcome)
                elif outcome.card is not None and outcome.card.proof is not None:
                    # A ticket did not wait for this hung card.
                    late = self._door.tap(moment, Outcome.REFUSED, Reason.CARD_DENIED, 0)
                    self._journal.write_tap(replace(late, recovers=intent.seq, card=outcome.card))
        except JournalFault:
            # The intent is on the disk and says the same, but for the proof.
            return self._shown(moment, Lamp.RED, refused.reason)
        return self._shown(moment, Lamp.RED, refused.reason, intent.seq)

    def _refuse(
        self,
        moment: Moment,
        reason: Reason,
        card: OpenCard | None = None,
        balance_rial: int | None = None,
    ) -> Shown:
        with self._door.settled:
            self._door.torn.settle_left_open()
            tap = self._door.tap(moment, Outcome.REFUSED, reason, 0)
            if card is not None:
                tap = replace(tap, card=_as_read(card))
            self._journal.write_tap(tap)
        lamp = Lamp.AMBER if reason is Reason.CARD_TOO_SLOW else Lamp.RED
        return replace(self._shown(moment, lamp, reason, tap.seq), balance_rial=balance_rial)

    # --- common ---

    def _outcome(self, tap: Tap) -> None:
        with self._door.settled:
            if self._journal.open_intent_seq == tap.seq:
                self._journal.write_outcome(tap)
            self._door.settled.notify_all()

    def _shown(self, moment: Moment, lamp: Lamp, reason: Reason, seq: int | None = None) -> Shown:
        return self._door.shown(moment, lamp, reason, ShownMedium.CARD, seq)


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
    return CardEvidence.of_reading(
        claimed.serial, claimed.version, card.newest_record, card.spent, card.previous
    )


def _with_proof(tap: Tap, proof: CommitProof) -> CardEvidence:
    if tap.card is None:
        raise JournalFault(f"tap {tap.seq} holds no card's evidence")
    return replace(tap.card, proof=proof)
