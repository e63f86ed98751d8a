"""Taking in one signed batch, in one transaction: verify, place, judge, register, post, then acknowledge.

    envelope -> signature -> stream row locked -> new taps -> proofs and prices -> rides -> one journal
    entry a service day -> their riders' rides priced anew -> watermark -> (the caller commits) -> signed
    acknowledgement

It never reads a clock, never commits, and never loses what it cannot use: raw bytes go to quarantine with a
reason. The acknowledgement it returns may leave only after the commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session

from fare.collection import store
from fare.collection.chain import RawTap, place
from fare.collection.disputes import note_disputes
from fare.collection.facts import gather
from fare.collection.judging import judge
from fare.collection.posting import (
    Cause,
    batch_name,
    deny_doubles,
    post_commits,
    post_rides,
    settle_earlier,
)
from fare.collection.repricing import reprice
from fare.collection.rides import ProvenCommit, ProvenRide
from fare.collection.store import StreamState
from fare.collection.tap_time import tapped_at
from fare.collection.unravelling import Unravelled, Witness, unravel
from fare.collection.upload import City, Upload, claimed_device
from fare.collection.verdict import Verdict
from fare.collection.words import BatchRefusal, Flag, MediumKind, ProofState, QuarantineReason
from fare.core.batch import MAX_BATCH_BYTES, Acknowledgement, Batch, decode_batch, genesis_hash
from fare.core.calendar import DAY_STARTS_AT
from fare.core.errors import MalformedDocument
from fare.core.proof.refusal import MalformedTicket
from fare.core.proof.tickets import decode_any_ticket
from fare.core.signed import ACKNOWLEDGEMENT, BATCH, DEVICE_KID, BadSignature, open_envelope, seal, split
from fare.core.tap import Tap, decode_tap
from fare.fleet import DeviceKey, device_public_key
from fare.issuing.holds import late_funds, lock_late_wallets
from fare.issuing.ticket_locks import lock_tickets
from fare.keys import KeyStore

MAX_ENVELOPE_BYTES: Final = MAX_BATCH_BYTES + 128
NO_PROMISE: Final = bytes(32)
"""Nothing of this upload is stored: it left a gap, or all of it was set aside."""
_LEDGER_WORDS: Final = frozenset(Flag)
_WORD: Final = re.compile(r"[a-z0-9_:.\-]{1,64}")


def take_in(
    session: Session,
    keys: KeyStore,
    envelope: bytes,
    received_at: datetime,
    zone: ZoneInfo,
    day_starts: time = DAY_STARTS_AT,
) -> bytes | BatchRefusal:
    """Take in an uploaded MCB1 envelope; the MCA1 envelope to answer with after the commit, or why not.

    Commit in both cases: a refusal may have put a damaged batch aside. The same upload again changes nothing.
    """
    if len(envelope) > MAX_ENVELOPE_BYTES:
        return BatchRefusal.TOO_LARGE
    try:
        payload, _, _ = split(envelope)
        device = device_public_key(session, claimed_device(payload))
        if device is None:
            return BatchRefusal.UNKNOWN_DEVICE
        open_envelope(BATCH, envelope, {DEVICE_KID: Ed25519PublicKey.from_public_bytes(device.public_key)})
    except MalformedDocument:
        return BatchRefusal.NOT_A_BATCH
    except BadSignature:
        return BatchRefusal.BAD_SIGNATURE
    batch_id = hashlib.sha256(envelope).hexdigest()
    try:
        batch = decode_batch(payload)
    except MalformedDocument:
        store.set_batch_aside(session.connection(), device.device_id, envelope, batch_id, received_at)
        return BatchRefusal.DAMAGED_BATCH
    upload = Upload(batch, batch_id, envelope, received_at, City(zone, day_starts))
    return _acknowledge(session, keys, upload, _take_in(session, keys, device, upload))


def _take_in(session: Session, keys: KeyStore, device: DeviceKey, upload: Upload) -> StreamState:
    connection = session.connection()
    batch = upload.batch
    genesis = genesis_hash(batch.device, batch.journal_id)
    before = store.lock_stream(connection, batch, genesis, upload.received_at)
    known = store.known_digests(connection, batch) if batch.first_seq <= before.acked_seq else {}
    placed = place(batch, before.acked_seq, before.acked_hash, known)
    aside: dict[RawTap, QuarantineReason] = dict.fromkeys(placed.forked, QuarantineReason.FORK)
    readable: list[tuple[RawTap, Tap]] = []
    for raw in placed.new:
        read = _read(raw, batch)
        if isinstance(read, QuarantineReason):
            aside[raw] = read
        else:
            readable.append((raw, read))
    store.set_aside(connection, batch, aside, upload.received_at)
    entry_id = _register(session, keys, device, upload, readable, before) if readable else None
    if aside or placed.new:
        store.store_batch(connection, batch, upload.batch_id, upload.envelope, upload.received_at, entry_id)
    after = StreamState(
        placed.acked_seq,
        placed.acked_hash,
        max(before.newest_seq, batch.newest_seq, placed.acked_seq),
        upload.received_at,
    )
    store.update_stream(connection, batch, after, _clock_offset_ms(upload))
    return after


def _read(raw: RawTap, batch: Batch) -> Tap | QuarantineReason:
    """Decode one tap, or say why it cannot stand in the register."""
    try:
        tap = decode_tap(raw.raw)
    except ValueError:
        return QuarantineReason.UNDECODABLE
    if not all(_WORD.fullmatch(word) for word in (tap.reason, *tap.flags)):
        return QuarantineReason.UNDECODABLE
    in_place = (tap.device, tap.journal_id, tap.seq) == (batch.device, batch.journal_id, raw.seq)
    if not in_place or (tap.recovers is not None and not 0 < tap.recovers < tap.seq):
        return QuarantineReason.OUT_OF_PLACE
    return tap


def _clock_offset_ms(upload: Upload) -> int:
    """Server minus validator, as far as 64 bits go."""
    offset_ms = int(upload.received_at.timestamp() * 1000) - upload.batch.wall_ms
    return max(-(2**62), min(2**62, offset_ms))


# --- registering and posting ------------------------------------------------------------------------------


def _register(
    session: Session,
    keys: KeyStore,
    device: DeviceKey,
    upload: Upload,
    readable: Sequence[tuple[RawTap, Tap]],
    before: StreamState,
) -> str | None:
    """Judge the new taps, write register, rides and postings. Returns the id of the last journal entry."""
    verdicts = [_verdict(raw, tap, upload, before) for raw, tap in readable]
    taps = [tap for _, tap in readable]
    cards = [tap.card for tap in taps if tap.card is not None]
    ctis = _ctis(taps)
    # Before anything is read of them: what another batch is just posting of these tickets must be seen.
    lock_late_wallets(session, ctis)
    lock_tickets(session, ctis)
    late = late_funds(session, ctis, upload.received_at)
    facts = gather(session, keys, cards, upload.city, device=device, ctis=ctis, late=late)
    proven = [found for verdict in verdicts if (found := judge(verdict, facts)) is not None]
    rides = [found for found in proven if isinstance(found, ProvenRide)]
    blocks = [found for found in proven if isinstance(found, ProvenCommit)]
    witnesses = [witness for verdict in verdicts if (witness := _witness(verdict)) is not None]
    unravelled = unravel(witnesses, facts, upload.received_at)
    everything = [*rides, *unravelled.rides]
    entry_id = post_rides(session, Cause.batch(upload), everything, verdicts, facts)
    post_commits(session, [*blocks, *unravelled.commits], facts)
    note_disputes(session, upload, verdicts, facts)
    commits = [*blocks, *unravelled.commits]
    reprice(session, everything, commits, facts.tariff, batch_name(upload), upload.received_at)
    deny_doubles(session, verdicts, facts, upload.received_at)
    _apply(verdicts, unravelled)
    store.register_taps(session.connection(), [_tap_row(verdict, upload) for verdict in verdicts])
    own = {verdict.source for verdict in verdicts}
    settle_earlier(session, unravelled, upload.received_at, own)
    return entry_id


def _verdict(raw: RawTap, tap: Tap, upload: Upload, before: StreamState) -> Verdict:
    at, flag = tapped_at(tap, upload.batch, upload.received_at)
    # A device cannot say the words by which the ledger marks a tap.
    flags = [word for word in tap.flags if word not in _LEDGER_WORDS]
    return Verdict(
        raw=raw,
        tap=tap,
        tapped_at=at,
        service_day=upload.city.day_of(at),
        flags=flags if flag is None else [*flags, flag],
        # What the device did not have at its last upload was not tapped before it.
        not_before=before.last_upload_at if 0 < before.newest_seq < tap.seq else None,
    )


def _witness(verdict: Verdict) -> Witness | None:
    """What a tap's reading of its card may prove of other taps."""
    evidence = verdict.tap.card
    if evidence is None:
        return None
    torn = verdict.raw.raw if verdict.state is ProofState.PENDING else None
    return Witness(verdict.source, evidence, verdict.tapped_at, torn)


def _ctis(taps: Sequence[Tap]) -> set[bytes]:
    found: set[bytes] = set()
    for tap in taps:
        if tap.ticket is not None:
            try:
                found.add(decode_any_ticket(tap.ticket).cti)
            except MalformedTicket:
                continue
    return found


def _apply(verdicts: Sequence[Verdict], unravelled: Unravelled) -> None:
    """Write into the batch's own verdicts what the unravelling found out about them."""
    for verdict in verdicts:
        told = unravelled.torn.get(verdict.source)
        if told is not None:
            verdict.state = told[0]
            verdict.flags += [told[1]] if told[1] else []
        if verdict.source in unravelled.differing:
            verdict.flags.append(Flag.PREVIOUS_DIFFERS)


def _tap_row(verdict: Verdict, upload: Upload) -> dict[str, Any]:
    tap, key = verdict.tap, verdict.key
    # A card that was only read has a name, and no commit.
    read = None if key is not None or tap.card is None else str(tap.card.serial)
    return {
        "device_id": tap.device,
        "journal_id": tap.journal_id,
        "seq": tap.seq,
        "batch_id": upload.batch_id,
        "digest": verdict.raw.digest,
        "service_day": verdict.service_day,
        "tapped_at": verdict.tapped_at,
        "outcome": int(tap.outcome),
        "reason": tap.reason,
        "medium_kind": str(MediumKind.CARD) if read else None if key is None else str(key.kind),
        "medium_ref": read if key is None else key.ref,
        "counter": None if key is None else key.counter,
        "fare_rial": tap.fare_rial,
        "proof_state": str(verdict.state),
        "recovers": tap.recovers,
        "flags": " ".join(dict.fromkeys(verdict.flags)),
    }


# --- answering --------------------------------------------------------------------------------------------


def _acknowledge(session: Session, keys: KeyStore, upload: Upload, state: StreamState) -> bytes:
    """Sign what is durable once the caller has committed."""
    connection = session.connection()
    stored = store.stored_envelope(connection, upload.batch)
    acknowledgement = Acknowledgement(
        ledger_epoch=keys.ledger_epoch,
        device=upload.batch.device,
        journal_id=upload.batch.journal_id,
        acked_seq=state.acked_seq,
        acked_hash=state.acked_hash,
        quarantined=store.quarantined_in(connection, upload.batch),
        inclusion_promise=NO_PROMISE if stored is None else leaf_hash(stored),
        server_time_ms=int(upload.received_at.timestamp() * 1000),
    )
    signer = keys.acknowledgement
    return seal(ACKNOWLEDGEMENT, acknowledgement.encode(), signer.kid, signer.private)


def leaf_hash(envelope: bytes) -> bytes:
    """The RFC 6962 leaf hash of a stored batch."""
    return hashlib.sha256(b"\x00" + envelope).digest()
