"""What a card proved at Commit, and how the ledger checks it. Never speaks to a card, never holds a key.

A tap's Transaction MAC input, in the order the card executed it (see `desfire.transaction_mac` for a step's
bytes):

    ReadData 01 · ReadRecords 03 (newest one) · GetValue 02 · [Debit 02] · [WriteData 01] · WriteRecord 03

Debit stands only for a fare above zero, WriteData only when an entitlement was delivered. Reading 0F adds
nothing; under `Reading.abort_after_reads` the first two reads add nothing either. The ledger knows the
entitlements by their versions; everything else travels by value in `CardEvidence`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fare.core.desfire import layout
from fare.core.desfire import transaction_mac as tm


@dataclass(frozen=True, slots=True)
class CommitProof:
    """TMC (1 … 2³²−1; 0 before the first commit) and the 8-byte TMV a card reported."""

    tmc: int
    tmv: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.tmc <= tm.MAX_TMC:
            raise ValueError(f"a transaction counter is 0 to 2^32-1, not {self.tmc}")
        if len(self.tmv) != tm.TMV_SIZE:
            raise ValueError(f"a transaction MAC value has {tm.TMV_SIZE} bytes, not {len(self.tmv)}")

    @classmethod
    def decode(cls, raw: bytes) -> CommitProof:
        """From TMC(4, LSB first) ‖ TMV(8); ValueError for another size."""
        if len(raw) != layout.PROOF_SIZE:
            raise ValueError(f"a commit proof has {layout.PROOF_SIZE} bytes, not {len(raw)}")
        return cls(tmc=int.from_bytes(raw[: tm.TMC_SIZE], "little"), tmv=bytes(raw[tm.TMC_SIZE :]))

    def encode(self) -> bytes:
        """TMC(4, LSB first) ‖ TMV(8), as the card reports it and as file 0F holds it."""
        return self.tmc.to_bytes(tm.TMC_SIZE, "little") + self.tmv


@dataclass(frozen=True, slots=True)
class CardEvidence:
    """Everything a card tap carries so that the ledger can rebuild what the card signed.

    `entitlement_version` is the version read from the card, `delivered_version` the one written in the same
    commit (or None). `record_read` is the newest record before the tap, `record_written` the tap's own, 32
    bytes each; it is None when the card was only read, and then nothing was debited, delivered or proven.
    `spent_before` is rial. `previous` is the proof of the commit before; `proof` is None when the Commit
    reply was lost, or nothing was written.
    """

    serial: int
    entitlement_version: int
    delivered_version: int | None
    record_read: bytes
    spent_before: int
    debit_rial: int
    record_written: bytes | None
    previous: CommitProof
    proof: CommitProof | None

    @classmethod
    def of_reading(
        cls, serial: int, entitlement_version: int, record: bytes, spent: int, previous: CommitProof
    ) -> CardEvidence:
        """What a card that was only read proves: the commit before. `record` is its newest, `spent` rial."""
        return cls(
            serial=serial,
            entitlement_version=entitlement_version,
            delivered_version=None,
            record_read=record,
            spent_before=spent,
            debit_rial=0,
            record_written=None,
            previous=previous,
            proof=None,
        )


def tap_tmi(
    evidence: CardEvidence,
    entitlement_read: bytes,
    entitlement_written: bytes | None,
    reading: tm.Reading = tm.OUR_READING,
) -> bytes:
    """The Transaction MAC input of a tap; the entitlements are file 01's 128 bytes as read and as delivered.

    Raises ValueError when the evidence cannot have come from a card: wrong sizes, impossible amounts, a
    delivered version without its bytes (or the reverse), or no record written, so no commit.
    """
    if evidence.record_written is None:
        raise ValueError("a tap that wrote nothing on its card has no commit to prove")
    if (evidence.delivered_version is None) != (entitlement_written is None):
        raise ValueError("the delivered entitlement and its version go together")
    if not 0 <= evidence.debit_rial <= layout.MAX_DEBIT_RIAL:
        raise ValueError(f"a card cannot be debited {evidence.debit_rial} rial")
    _check_size("an entitlement", entitlement_read, layout.ENTITLEMENT_SIZE)
    _check_size("a record", evidence.record_read, layout.RECORD_SIZE)
    steps: list[bytes] = []
    if not reading.abort_after_reads:
        steps += [
            tm.read_data_step(layout.ENTITLEMENT_FILE, 0, entitlement_read, reading),
            tm.read_records_step(layout.RECORD_FILE, 0, evidence.record_read, layout.RECORD_SIZE, reading),
        ]
    steps += [
        tm.get_value_step(layout.VALUE_FILE, layout.value_from_spent(evidence.spent_before), reading),
    ]
    if evidence.debit_rial:
        steps.append(tm.debit_step(layout.VALUE_FILE, evidence.debit_rial))
    if entitlement_written is not None:
        steps.append(_entitlement_written(entitlement_written, reading))
    steps.append(_record_written(evidence.record_written))
    return b"".join(steps)


def personalisation_tmi(
    entitlement: bytes, first_record: bytes, reading: tm.Reading = tm.OUR_READING
) -> bytes:
    """The Transaction MAC input of a card's first commit (TMC 1): WriteData 01 · WriteRecord 03."""
    return _entitlement_written(entitlement, reading) + _record_written(first_record)


def load_tmi(entitlement: bytes, reading: tm.Reading = tm.OUR_READING) -> bytes:
    """The Transaction MAC input of a load at a desk, under k2 alone: WriteData 01."""
    return _entitlement_written(entitlement, reading)


def verify_commit(tm_key: bytes, uid: bytes, tmi: bytes, proof: CommitProof) -> bool:
    """Whether the card with this Transaction MAC key and UID committed exactly `tmi` as `proof.tmc`."""
    return hmac.compare_digest(tm.tmv(tm_key, uid, proof.tmc, tmi), proof.tmv)


def _entitlement_written(entitlement: bytes, reading: tm.Reading) -> bytes:
    _check_size("an entitlement", entitlement, layout.ENTITLEMENT_SIZE)
    return tm.write_data_step(layout.ENTITLEMENT_FILE, 0, entitlement, reading)


def _record_written(record: bytes) -> bytes:
    _check_size("a record", record, layout.RECORD_SIZE)
    return tm.write_record_step(layout.RECORD_FILE, 0, record)


def _check_size(what: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise ValueError(f"{what} on a card has {size} bytes, not {len(value)}")
