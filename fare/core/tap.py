"""A tap, a batch of taps, and the ledger's acknowledgement: the bytes between bus and ledger.

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

    batch = {
      0: 1, 1: device, 2: journal_id, 3: first_seq, 4: bstr .size 32,   ; h of the tap before first_seq
      5: [1*500 bstr],                 ; the taps' exact bytes, in seq order
      6: bstr .size 32,                ; head: h of the last tap
      7: uint,                         ; journal's newest seq, so that a missing batch shows
      8: bstr .size 8, 9: uint, 10: uint,   ; boot_id, mono_ns and wall_ms at upload
    }
    h_0 = SHA-256("MCJ1" || device(4, LE) || journal_id);  h_n = SHA-256(h_(n-1) || tap_n)

    acknowledgement = {
      0: 1, 1: bstr .size 8,           ; ledger_epoch
      2: device, 3: journal_id,
      4: uint, 5: bstr .size 32,       ; acked_seq and its hash: everything up to here is durable
      6: [* [seq, tstr]],              ; quarantined in this batch, with the reason
      7: bstr .size 32,                ; inclusion promise: RFC 6962 leaf hash of the stored batch
      8: uint,                         ; server_time_ms
    }

Integers are minimal and maps sorted (`signed.canonical`); any other encoding is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

from fare.core.card_record import SIZE as RECORD_SIZE
from fare.core.errors import MalformedDocument
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.signed import canonical, decode_canonical
from fare.core.strict_cbor import NotStrictCbor, StrictReader

FORMAT = 1
MAX_TAPS_IN_BATCH = 500
MAX_BATCH_BYTES = 1 << 20
MAX_TAP_BYTES = 4096
_UINT64 = (1 << 64) - 1
_BATCH_KEYS = 11
_TAPS_KEY = 5


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Taps of one journal in seq order, without a hole: `first_seq .. first_seq + len(taps) - 1`."""

    device: int
    journal_id: bytes
    first_seq: int
    previous_hash: bytes
    taps: tuple[bytes, ...]
    head_hash: bytes
    newest_seq: int
    boot_id: bytes
    mono_ns: int
    wall_ms: int

    @property
    def last_seq(self) -> int:
        """The seq of the last tap in this batch."""
        return self.first_seq + len(self.taps) - 1

    def encode(self) -> bytes:
        """The payload that goes into a signed envelope with context MCB1."""
        return canonical(
            {
                0: FORMAT,
                1: self.device,
                2: self.journal_id,
                3: self.first_seq,
                4: self.previous_hash,
                5: list(self.taps),
                6: self.head_hash,
                7: self.newest_seq,
                8: self.boot_id,
                9: self.mono_ns,
                10: self.wall_ms,
            }
        )


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the ledger has made durable of one journal."""

    ledger_epoch: bytes
    device: int
    journal_id: bytes
    acked_seq: int
    acked_hash: bytes
    quarantined: tuple[tuple[int, str], ...]
    inclusion_promise: bytes
    server_time_ms: int

    def encode(self) -> bytes:
        """The payload that goes into a signed envelope with context MCA1."""
        return canonical(
            {
                0: FORMAT,
                1: self.ledger_epoch,
                2: self.device,
                3: self.journal_id,
                4: self.acked_seq,
                5: self.acked_hash,
                6: [[seq, reason] for seq, reason in self.quarantined],
                7: self.inclusion_promise,
                8: self.server_time_ms,
            }
        )


def genesis_hash(device: int, journal_id: bytes) -> bytes:
    """h_0 of a journal: 32 bytes."""
    return hashlib.sha256(b"MCJ1" + device.to_bytes(4, "little") + journal_id).digest()


def chain_hash(previous: bytes, tap: bytes) -> bytes:
    """h_n = SHA-256(h_(n-1) || tap_n)."""
    return hashlib.sha256(previous + tap).digest()


def decode_tap(raw: bytes) -> Tap:
    """Decode one tap. Raises MalformedDocument naming the field that is off."""
    if len(raw) > MAX_TAP_BYTES:
        raise MalformedDocument(f"a tap has at most {MAX_TAP_BYTES} bytes")
    fields = _Fields(decode_canonical(raw), "tap", required=range(15), optional=range(15, 19))
    epoch, n = fields.array(8, 2)
    card = fields.optional(15)
    ticket = fields.optional(16)
    recovers = fields.optional(17)
    flags = fields.optional(18)
    if card is not None and ticket is not None:
        raise MalformedDocument("tap: a card or a ticket, not both")
    if ticket is not None and not isinstance(ticket, str):
        raise MalformedDocument("tap: field 16 is the text of a ticket")
    outcome = Outcome(fields.uint(9, 2))
    evidence = None if card is None else _decode_evidence(card)
    if evidence is not None and evidence.record_written is None and outcome is not Outcome.REFUSED:
        raise MalformedDocument("tap: only a refused one writes no record on its card")
    return Tap(
        device=fields.uint(1, MAX_DEVICE_ID),
        journal_id=fields.bytes_of(2, 16),
        boot_id=fields.bytes_of(3, 8),
        seq=fields.uint(4, 0xFFFF_FFFF),
        mono_ns=fields.uint(5),
        wall_ms=fields.uint(6),
        clock_quality=ClockQuality(fields.uint(7, 1)),
        bundle_version=BundleVersion(_bytes(epoch, 8, "ledger_epoch"), _uint(n, "bundle n")),
        outcome=outcome,
        reason=fields.text(10),
        fare_rial=fields.uint(11, 0xFFFF_FFFF),
        line=fields.uint(12, 0xFFFF),
        area=fields.uint(13, 0xFFFF),
        tariff_version=fields.uint(14, 0xFFFF_FFFF),
        card=evidence,
        ticket=ticket,
        recovers=None if recovers is None else _uint(recovers, "recovers"),
        flags=() if flags is None else _texts(flags),
    )


def decode_batch(payload: bytes) -> Batch:
    """Decode a verified batch payload and check its own chain. Raises MalformedDocument."""
    _check_batch_form(payload)
    fields = _Fields(decode_canonical(payload), "batch", required=range(11))
    taps = fields.get(5)
    if not isinstance(taps, list) or not 1 <= len(cast("list[object]", taps)) <= MAX_TAPS_IN_BATCH:
        raise MalformedDocument(f"batch: 1 to {MAX_TAPS_IN_BATCH} taps")
    raws = cast("list[object]", taps)
    batch = Batch(
        device=fields.uint(1, MAX_DEVICE_ID),
        journal_id=fields.bytes_of(2, 16),
        first_seq=fields.uint(3, 0xFFFF_FFFF),
        previous_hash=fields.bytes_of(4, 32),
        taps=tuple(_bytes(raw, None, "tap") for raw in raws),
        head_hash=fields.bytes_of(6, 32),
        newest_seq=fields.uint(7, 0xFFFF_FFFF),
        boot_id=fields.bytes_of(8, 8),
        mono_ns=fields.uint(9),
        wall_ms=fields.uint(10),
    )
    head = batch.previous_hash
    for raw in batch.taps:
        head = chain_hash(head, raw)
    if head != batch.head_hash or batch.first_seq < 1 or batch.newest_seq < batch.last_seq:
        raise MalformedDocument("batch: the chain of its taps does not reach its head")
    return batch


def _check_batch_form(payload: bytes) -> None:
    """Nothing but one map, one array, byte strings and integers, and no more of them than a batch has.

    A signed batch may come from a stolen device, and a general decoder spends hours on one megabyte of map
    keys that were chosen to collide.
    """
    reader = StrictReader(payload)
    try:
        if reader.map() != _BATCH_KEYS:
            raise MalformedDocument("a batch is a map of eleven")
        for key in range(_BATCH_KEYS):
            reader.uint(key, key)
            if key != _TAPS_KEY:
                reader.skip_scalar()
                continue
            count = reader.array()
            if count > MAX_TAPS_IN_BATCH:
                raise MalformedDocument(f"batch: 1 to {MAX_TAPS_IN_BATCH} taps")
            for _ in range(count):
                reader.byte_string()
        reader.end()
    except NotStrictCbor as fault:
        raise MalformedDocument(f"batch: {fault}") from fault


def decode_acknowledgement(payload: bytes) -> Acknowledgement:
    """Decode a verified acknowledgement payload. Raises MalformedDocument."""
    fields = _Fields(decode_canonical(payload), "acknowledgement", required=range(9))
    listed = fields.get(6)
    if not isinstance(listed, list):
        raise MalformedDocument("acknowledgement: field 6 is an array")
    quarantined: list[tuple[int, str]] = []
    for item in cast("list[object]", listed):
        match item:
            case [int() as seq, str() as reason]:
                quarantined.append((seq, reason))
            case _:
                raise MalformedDocument("acknowledgement: quarantined holds [seq, reason]")
    return Acknowledgement(
        ledger_epoch=fields.bytes_of(1, 8),
        device=fields.uint(2, MAX_DEVICE_ID),
        journal_id=fields.bytes_of(3, 16),
        acked_seq=fields.uint(4, 0xFFFF_FFFF),
        acked_hash=fields.bytes_of(5, 32),
        quarantined=tuple(quarantined),
        inclusion_promise=fields.bytes_of(7, 32),
        server_time_ms=fields.uint(8),
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
    if not isinstance(value, list) or len(cast("list[object]", value)) != 9:
        raise MalformedDocument("card evidence is an array of nine")
    serial, version, delivered, read, spent, debit, written, previous, proof = cast("list[object]", value)
    if written is None and (delivered is not None or proof is not None or debit != 0):
        raise MalformedDocument("card evidence: without a record there is no debit, delivery or proof")
    return CardEvidence(
        serial=_uint(serial, "serial", 0xFFFF_FFFF),
        entitlement_version=_uint(version, "entitlement version", 0xFFFF),
        delivered_version=None if delivered is None else _uint(delivered, "delivered version", 0xFFFF),
        record_read=_bytes(read, RECORD_SIZE, "record read"),
        spent_before=_uint(spent, "spent before", 0xFFFF_FFFF),
        debit_rial=_uint(debit, "debit", 0xFFFF_FFFF),
        record_written=None if written is None else _bytes(written, RECORD_SIZE, "record written"),
        previous=_commit(previous),
        proof=None if proof is None else _commit(proof),
    )


def _commit(value: object) -> CommitProof:
    if not isinstance(value, list) or len(cast("list[object]", value)) != 2:
        raise MalformedDocument("a commit is [TMC, TMV]")
    tmc, tmv = cast("list[object]", value)
    return CommitProof(_uint(tmc, "TMC", 0xFFFF_FFFF), _bytes(tmv, 8, "TMV"))


def _uint(value: object, name: str, limit: int = _UINT64) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise MalformedDocument(f"{name} is not an integer in 0..{limit}")
    return value


def _bytes(value: object, size: int | None, name: str) -> bytes:
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise MalformedDocument(f"{name} is not a byte string" + (f" of {size}" if size else ""))
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise MalformedDocument("flags are an array of text")
    texts = cast("list[object]", value)
    strings = tuple(text for text in texts if isinstance(text, str))
    if len(strings) != len(texts) or not strings or list(strings) != sorted(set(strings)):
        raise MalformedDocument("flags are sorted texts, each once, absent when there are none")
    return strings


class _Fields:
    """The integer-keyed map of one document, with its closed set of keys already checked."""

    def __init__(self, value: Any, name: str, required: range, optional: range = range(0)) -> None:
        if not isinstance(value, dict):
            raise MalformedDocument(f"a {name} is a map")
        self._map = cast("dict[object, object]", value)
        self._name = name
        keys = set(self._map)
        if not set(required) <= keys or not keys <= {*required, *optional} or self._map[0] != FORMAT:
            raise MalformedDocument(f"{name}: missing or unknown field, or another format")

    def get(self, key: int) -> object:
        return self._map[key]

    def optional(self, key: int) -> object:
        return self._map.get(key)

    def uint(self, key: int, limit: int = _UINT64) -> int:
        return _uint(self._map[key], f"{self._name}: field {key}", limit)

    def bytes_of(self, key: int, size: int) -> bytes:
        return _bytes(self._map[key], size, f"{self._name}: field {key}")

    def text(self, key: int) -> str:
        value = self._map[key]
        if not isinstance(value, str) or len(value) > 64:
            raise MalformedDocument(f"{self._name}: field {key} is a text of at most 64 characters")
        return value

    def array(self, key: int, size: int) -> list[object]:
        value = self._map[key]
        if not isinstance(value, list) or len(cast("list[object]", value)) != size:
            raise MalformedDocument(f"{self._name}: field {key} is an array of {size}")
        return cast("list[object]", value)
