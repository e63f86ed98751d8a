"""Where a batch stands in its journal's chain: what is new, what came before, what forks off. Pure.

Two different taps under one (device, journal, seq), or a batch that does not continue the acknowledged
hash, mean that two validators share one identity or that a journal was restored: a fork. Nothing of it is
lost or posted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from fare.core.batch import Batch, chain_hash


@dataclass(frozen=True, slots=True)
class RawTap:
    """One tap's exact bytes at its place in the journal; `digest` is their SHA-256."""

    seq: int
    raw: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Placed:
    """A batch sorted out: taps to take in, taps to set aside, and the watermark afterwards."""

    new: tuple[RawTap, ...]
    forked: tuple[RawTap, ...]
    acked_seq: int
    acked_hash: bytes


def place(batch: Batch, acked_seq: int, acked_hash: bytes, known: Mapping[int, bytes]) -> Placed:
    """Sort a batch out against what is acknowledged. `known` has the digest of each seq that was taken in.

    A batch that begins beyond `acked_seq + 1` leaves a gap: nothing is taken, and the old watermark tells
    the device where to begin again.
    """
    if batch.first_seq > acked_seq + 1:
        return Placed((), (), acked_seq, acked_hash)
    repeated: list[RawTap] = []
    beyond: list[RawTap] = []
    head = batch.previous_hash
    joint = head if batch.first_seq == acked_seq + 1 else None
    for seq, raw in enumerate(batch.taps, batch.first_seq):
        tap = RawTap(seq, raw, hashlib.sha256(raw).digest())
        (repeated if seq <= acked_seq else beyond).append(tap)
        head = chain_hash(head, raw)
        if seq == acked_seq:
            joint = head
    forked = [tap for tap in repeated if known.get(tap.seq) != tap.digest]
    if joint is not None and joint != acked_hash:
        # The branch is another one: what follows stands on taps that this ledger has not seen.
        forked += beyond
        beyond = []
    if not beyond:
        return Placed((), tuple(forked), acked_seq, acked_hash)
    return Placed(tuple(beyond), tuple(forked), beyond[-1].seq, head)
