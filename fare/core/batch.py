"""A batch of taps and the ledger's acknowledgement: the bytes that travel between bus and ledger.

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

The payloads of envelopes MCB1 and MCA1 (`fare.core.signed`); a batch carries taps as they were journalled
(`fare.core.tap`) and does not read them. Integers are minimal and maps sorted; any other encoding is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fare.core.errors import MalformedDocument
from fare.core.fields import UINT32_MAX, NumberedFields, array, byte_string, text, uint
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.signed import canonical, decode_canonical
from fare.core.strict_cbor import NotStrictCbor, StrictReader

FORMAT = 1
MAX_TAPS_IN_BATCH = 500
MAX_BATCH_BYTES = 1 << 20
_BATCH_KEYS = 11
_TAPS_KEY = 5


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


def decode_batch(payload: bytes) -> Batch:
    """Decode a verified batch payload and check its own chain. Raises MalformedDocument."""
    _check_batch_form(payload)
    fields = NumberedFields(decode_canonical(payload), "batch", FORMAT, required=range(11))
    raws = fields.array(5)
    if not 1 <= len(raws) <= MAX_TAPS_IN_BATCH:
        raise MalformedDocument(f"batch: 1 to {MAX_TAPS_IN_BATCH} taps")
    batch = Batch(
        device=fields.uint(1, MAX_DEVICE_ID),
        journal_id=fields.byte_string(2, 16),
        first_seq=fields.uint(3, UINT32_MAX),
        previous_hash=fields.byte_string(4, 32),
        taps=tuple(byte_string(raw, None, "tap") for raw in raws),
        head_hash=fields.byte_string(6, 32),
        newest_seq=fields.uint(7, UINT32_MAX),
        boot_id=fields.byte_string(8, 8),
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
    fields = NumberedFields(decode_canonical(payload), "acknowledgement", FORMAT, required=range(9))
    return Acknowledgement(
        ledger_epoch=fields.byte_string(1, 8),
        device=fields.uint(2, MAX_DEVICE_ID),
        journal_id=fields.byte_string(3, 16),
        acked_seq=fields.uint(4, UINT32_MAX),
        acked_hash=fields.byte_string(5, 32),
        quarantined=tuple(_quarantined(item) for item in fields.array(6)),
        inclusion_promise=fields.byte_string(7, 32),
        server_time_ms=fields.uint(8),
    )


def _quarantined(item: object) -> tuple[int, str]:
    seq, reason = array(item, 2, "acknowledgement: what is quarantined")
    return uint(seq, "quarantined seq", UINT32_MAX), text(reason, "quarantined reason")
