"""A tap: one presentation of a medium and its outcome, in the bytes that a validator journals.

    tap = {
      0: 1,                            ; format
      1: uint,                         ; device, 1..2^24-1
      2: bstr .size 16,                ; journal_id, minted with the journal file
      3: bstr .size 8,                 ; boot_id
      4: uint,                         ; seq, 1, 2, 3 … without a hole
      5: uint,                         ; mono_ns, the boot's monotonic clock
      6: uint,                         ; wall_ms, unix milliseconds
      7: 0 / 1,                        ; clock quality: 0 not synchronised, 1 synchronised
      8: [bstr .size 8, uint],         ; bundle version (ledger_epoch, n)
      9: 0 / 1 / 2,                    ; outcome: refused, accepted, unconfirmed
      10: tstr,                        ; reason, "ok" when accepted
      11: uint,                        ; fare_rial that the validator decided
      12: uint,                        ; line
      13: uint,                        ; area
      14: uint,                        ; tariff version
      ? 15: card_evidence, ? 16: tstr, ; the card's evidence, or the text of the phone's ticket
      ? 17: uint,                      ; recovers: seq of the unconfirmed tap whose proof this tap brings
      ? 18: [+ tstr],                  ; flags, sorted, each once
    }
    card_evidence = [ serial: uint, entitlement_version: uint, delivered_version: uint / null,
                      record_read: bstr .size 32, spent_before: uint, debit_rial: uint,
                      record_written: bstr .size 32 / null, previous: commit, proof: commit / null ]
    commit = [ tmc: uint, tmv: bstr .size 8 ]

Every tap of a card that authenticated carries evidence, also a refused one: then `record_written` is null,
and with it `delivered_version` and `proof`, and `debit_rial` is 0. A refused tap that has a `record_written`
put the block of a denied card on it; without `proof` the answer to that Commit was lost.

Integers are minimal and maps sorted (`signed.canonical`); any other encoding is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from fare.core.card_record import SIZE as RECORD_SIZE
from fare.core.errors import MalformedDocument
from fare.core.fields import UINT16_MAX, UINT32_MAX, NumberedFields, array, byte_string, text, uint
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.signed import canonical, decode_canonical

FORMAT = 1
MAX_TAP_BYTES = 4096
_EVIDENCE_PARTS = 9


class Outcome(IntEnum):
    """What became of a presentation. UNCONFIRMED is settled later by the card's own evidence."""

    REFUSED = 0
    ACCEPTED = 1
    UNCONFIRMED = 2


class ClockQuality(IntEnum):
    """Whether the validator's wall clock could be trusted at the tap."""

    UNSYNCHRONISED = 0
    SYNCHRONISED = 1


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """(ledger_epoch, n): which bundle the validator decided by."""

    ledger_epoch: bytes
    n: int

    @property
    def etag(self) -> str:
        """The version in a poll's `ETag` and `If-None-Match`, without their quotes: `<epoch hex>-<n>`."""
        return f"{self.ledger_epoch.hex()}-{self.n}"


@dataclass(frozen=True, slots=True)
class Tap:
    """One presentation and its outcome, as the validator signs it in a batch."""

    device: int
    journal_id: bytes
    boot_id: bytes
    seq: int
    mono_ns: int
    wall_ms: int
    clock_quality: ClockQuality
    bundle_version: BundleVersion
    outcome: Outcome
    reason: str
    fare_rial: int
    line: int
    area: int
    tariff_version: int
    card: CardEvidence | None = None
    ticket: str | None = None
    recovers: int | None = None
    flags: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The canonical bytes that the journal chains and the batch carries."""
        fields: dict[int, object] = {
            0: FORMAT,
            1: self.device,
            2: self.journal_id,
            3: self.boot_id,
            4: self.seq,
            5: self.mono_ns,
            6: self.wall_ms,
            7: int(self.clock_quality),
            8: [self.bundle_version.ledger_epoch, self.bundle_version.n],
            9: int(self.outcome),
            10: self.reason,
            11: self.fare_rial,
            12: self.line,
            13: self.area,
            14: self.tariff_version,
        }
        if self.card is not None:
            fields[15] = _encode_evidence(self.card)
        if self.ticket is not None:
            fields[16] = self.ticket
        if self.recovers is not None:
            fields[17] = self.recovers
        if self.flags:
            fields[18] = sorted(self.flags)
        return canonical(fields)


def decode_tap(raw: bytes) -> Tap:
    """Decode one tap. Raises MalformedDocument naming the field that is off."""
    if len(raw) > MAX_TAP_BYTES:
        raise MalformedDocument(f"a tap has at most {MAX_TAP_BYTES} bytes")
    fields = NumberedFields(decode_canonical(raw), "tap", FORMAT, required=range(15), optional=range(15, 19))
    epoch, n = fields.array(8, 2)
    card = fields.optional(15)
    ticket = fields.optional(16)
    recovers = fields.optional(17)
    flags = fields.optional(18)
    if card is not None and ticket is not None:
        raise MalformedDocument("tap: a card or a ticket, not both")
    outcome = Outcome(fields.uint(9, 2))
    evidence = None if card is None else _decode_evidence(card)
    if evidence is not None and evidence.record_written is None and outcome is not Outcome.REFUSED:
        raise MalformedDocument("tap: only a refused one writes no record on its card")
    return Tap(
        device=fields.uint(1, MAX_DEVICE_ID),
        journal_id=fields.byte_string(2, 16),
        boot_id=fields.byte_string(3, 8),
        seq=fields.uint(4, UINT32_MAX),
        mono_ns=fields.uint(5),
        wall_ms=fields.uint(6),
        clock_quality=ClockQuality(fields.uint(7, 1)),
        bundle_version=BundleVersion(byte_string(epoch, 8, "ledger_epoch"), uint(n, "bundle n")),
        outcome=outcome,
        reason=fields.word(10),
        fare_rial=fields.uint(11, UINT32_MAX),
        line=fields.uint(12, UINT16_MAX),
        area=fields.uint(13, UINT16_MAX),
        tariff_version=fields.uint(14, UINT32_MAX),
        card=evidence,
        ticket=None if ticket is None else text(ticket, "tap: field 16"),
        recovers=None if recovers is None else uint(recovers, "recovers"),
        flags=() if flags is None else _flags(flags),
    )


def _encode_evidence(e: CardEvidence) -> list[object]:
    return [
        e.serial,
        e.entitlement_version,
        e.delivered_version,
        e.record_read,
        e.spent_before,
        e.debit_rial,
        e.record_written,
        [e.previous.tmc, e.previous.tmv],
        None if e.proof is None else [e.proof.tmc, e.proof.tmv],
    ]


def _decode_evidence(value: object) -> CardEvidence:
    parts = array(value, _EVIDENCE_PARTS, "card evidence")
    serial, version, delivered, read, spent, debit, written, previous, proof = parts
    if written is None and (delivered is not None or proof is not None or debit != 0):
        raise MalformedDocument("card evidence: without a record there is no debit, delivery or proof")
    return CardEvidence(
        serial=uint(serial, "serial", UINT32_MAX),
        entitlement_version=uint(version, "entitlement version", UINT16_MAX),
        delivered_version=None if delivered is None else uint(delivered, "delivered version", UINT16_MAX),
        record_read=byte_string(read, RECORD_SIZE, "record read"),
        spent_before=uint(spent, "spent before", UINT32_MAX),
        debit_rial=uint(debit, "debit", UINT32_MAX),
        record_written=None if written is None else byte_string(written, RECORD_SIZE, "record written"),
        previous=_commit(previous),
        proof=None if proof is None else _commit(proof),
    )


def _commit(value: object) -> CommitProof:
    tmc, tmv = array(value, 2, "a commit")
    return CommitProof(uint(tmc, "TMC", UINT32_MAX), byte_string(tmv, 8, "TMV"))


def _flags(value: object) -> tuple[str, ...]:
    flags = tuple(text(one, "a flag") for one in array(value, None, "flags"))
    if not flags or list(flags) != sorted(set(flags)):
        raise MalformedDocument("flags are sorted texts, each once, absent when there are none")
    return flags
