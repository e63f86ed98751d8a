"""The bytes everyone builds on: golden files read in both directions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import batch, bundle, card_record, entitlement, signed, tap
from fare.core.errors import MalformedDocument

GOLDEN = Path(__file__).parent.parent / "golden"


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def key_of(document: dict[str, Any]) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(document["signing_seed"]))


def test_card_entitlement() -> None:
    document = golden("card_entitlement")
    raw = bytes.fromhex(document["hex"])
    meaning = document["meaning"]
    read = entitlement.decode(raw)
    for name in meaning.keys() - {"aid", "uid", "passes"}:
        assert getattr(read, name) == meaning[name], name
    assert (read.aid.hex(), read.uid.hex()) == (meaning["aid"], meaning["uid"])
    assert [[p.product, p.first_day, p.last_day, p.rides] for p in read.passes] == meaning["passes"]
    assert entitlement.sign(read, key_of(document)) == raw
    assert len(raw) == 128


def test_every_flipped_bit_of_an_entitlement_is_refused() -> None:
    document = golden("card_entitlement")
    raw = bytes.fromhex(document["hex"])
    keys = {1: key_of(document).public_key()}
    read = entitlement.verify(raw, keys, uid=raw[13:20], aid=raw[6:9])
    assert isinstance(read, entitlement.CardEntitlement)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        verdict = entitlement.verify(bytes(flipped), keys, uid=raw[13:20], aid=raw[6:9])
        assert isinstance(verdict, entitlement.EntitlementFault), bit


def test_an_entitlement_copied_to_another_card_is_refused() -> None:
    document = golden("card_entitlement")
    raw = bytes.fromhex(document["hex"])
    keys = {1: key_of(document).public_key()}
    fault = entitlement.EntitlementFault.OTHER_CARD
    assert entitlement.verify(raw, keys, uid=bytes(7), aid=raw[6:9]) is fault
    assert entitlement.verify(raw, keys, uid=raw[13:20], aid=bytes(3)) is fault


def test_card_record() -> None:
    document = golden("card_record")
    raw = bytes.fromhex(document["hex"])
    record = card_record.decode(raw)
    for name, value in document["meaning"].items():
        read = getattr(record, name)
        assert (read.hex() if isinstance(read, bytes) else read) == value, name
    assert record.encode() == raw
    with pytest.raises(MalformedDocument):
        card_record.decode(bytes([0x20]) + raw[1:])
    left = card_record.decode(bytes([0x14]) + raw[1:])
    assert left == replace(record, alighting=True)
    assert left.encode()[0] == 0x14
    with pytest.raises(MalformedDocument):
        card_record.decode(bytes([0x18]) + raw[1:])


def test_tap_with_a_card() -> None:
    document = golden("tap")["accepted_card"]
    raw = bytes.fromhex(document["hex"])
    meaning = document["meaning"]
    read = tap.decode_tap(raw)
    assert read.encode() == raw
    assert read.card is not None
    assert read.card.proof is not None
    for name in ("device", "seq", "fare_rial", "line", "reason"):
        assert getattr(read, name) == meaning[name], name
    assert read.outcome is tap.Outcome.ACCEPTED
    for name in ("serial", "entitlement_version", "delivered_version", "spent_before"):
        assert getattr(read.card, name) == meaning[name], name
    assert (read.card.proof.tmc, read.card.proof.tmv.hex()) == (meaning["tmc"], meaning["tmv"])
    assert read.card.previous.tmc == meaning["previous_tmc"]


@pytest.mark.parametrize("name", ["refused_card", "blocked_card", "unconfirmed_card"])
def test_taps_of_a_card_that_did_not_ride(name: str) -> None:
    document = golden("tap")[name]
    raw = bytes.fromhex(document["hex"])
    meaning = document["meaning"]
    read = tap.decode_tap(raw)
    assert read.encode() == raw
    assert (read.outcome.name.lower(), read.reason) == (meaning["outcome"], meaning["reason"])
    assert (read.seq, read.fare_rial) == (meaning["seq"], meaning["fare_rial"])
    evidence = read.card
    assert evidence is not None
    for field in ("serial", "entitlement_version", "delivered_version", "spent_before", "debit_rial"):
        assert getattr(evidence, field) == meaning[field], field
    written = evidence.record_written
    assert evidence.record_read.hex() == meaning["record_read"]
    assert (None if written is None else written.hex()) == meaning["record_written"]
    for commit, told in ((evidence.previous, meaning["previous"]), (evidence.proof, meaning["proof"])):
        assert (None if commit is None else [commit.tmc, commit.tmv.hex()]) == told


def test_what_no_presentation_leaves_behind_is_not_taken_in() -> None:
    refused = tap.decode_tap(bytes.fromhex(golden("tap")["refused_card"]["hex"]))
    evidence = refused.card
    assert evidence is not None
    for outcome in (tap.Outcome.ACCEPTED, tap.Outcome.UNCONFIRMED):
        with pytest.raises(MalformedDocument, match="writes no record"):
            tap.decode_tap(replace(refused, outcome=outcome).encode())
    for changed in (
        replace(evidence, proof=evidence.previous),
        replace(evidence, debit_rial=1),
        replace(evidence, delivered_version=4),
    ):
        with pytest.raises(MalformedDocument, match="without a record"):
            tap.decode_tap(replace(refused, card=changed).encode())


def test_refused_tap() -> None:
    document = golden("tap")["refused"]
    raw = bytes.fromhex(document["hex"])
    read = tap.decode_tap(raw)
    assert read.encode() == raw
    assert (read.outcome, read.reason) == (tap.Outcome.REFUSED, document["meaning"]["reason"])
    assert list(read.flags) == document["meaning"]["flags"]


def test_batch() -> None:
    document = golden("batch")
    key = key_of(document)
    envelope = bytes.fromhex(document["envelope_hex"])
    payload = signed.open_envelope(signed.BATCH, envelope, {0: key.public_key()})
    assert payload.hex() == document["payload_hex"]
    read = batch.decode_batch(payload)
    meaning = document["meaning"]
    assert (read.device, read.first_seq, read.last_seq, read.newest_seq) == (
        meaning["device"], meaning["first_seq"], meaning["last_seq"], meaning["newest_seq"])  # fmt: skip
    assert read.head_hash.hex() == meaning["head_hash"]
    assert read.encode() == payload
    assert signed.seal(signed.BATCH, payload, 0, key) == envelope
    assert batch.genesis_hash(read.device, read.journal_id).hex() == document["genesis_hash"]


def test_a_batch_whose_chain_is_broken_is_refused() -> None:
    payload = bytes.fromhex(golden("batch")["payload_hex"])
    whole = batch.decode_batch(payload)
    broken = replace(whole, taps=whole.taps[:1])
    with pytest.raises(MalformedDocument, match="chain"):
        batch.decode_batch(broken.encode())


def test_acknowledgement() -> None:
    document = golden("acknowledgement")
    key = key_of(document)
    envelope = bytes.fromhex(document["envelope_hex"])
    payload = signed.open_envelope(signed.ACKNOWLEDGEMENT, envelope, {1: key.public_key()})
    read = batch.decode_acknowledgement(payload)
    meaning = document["meaning"]
    assert (read.device, read.acked_seq, read.server_time_ms) == (
        meaning["device"], meaning["acked_seq"], meaning["server_time_ms"])  # fmt: skip
    assert [list(q) for q in read.quarantined] == meaning["quarantined"]
    assert read.encode() == payload
    assert signed.seal(signed.ACKNOWLEDGEMENT, payload, 1, key) == envelope


def test_bundle() -> None:
    document = golden("bundle")
    key = key_of(document)
    envelope = bytes.fromhex(document["envelope_hex"])
    read = bundle.open_bundle(envelope, {1: key.public_key()})
    meaning = document["meaning"]
    assert (read.version.n, read.city, read.zone) == (meaning["n"], meaning["city"], meaning["zone"])
    priced = [[starts_at_s, each.version, each.products[0].amount] for starts_at_s, each in read.tariffs]
    assert priced == meaning["tariffs"]
    assert [device for device, place in read.devices.items() if place.exit] == meaning["exit_doors"]
    assert sorted(read.denied_cards) == meaning["denied_cards"]
    assert read.devices[17].line == meaning["line_of_17"]
    assert list(read.entitlements) == meaning["entitlement_waiting_for"]
    assert read.encode().hex() == document["payload_hex"]


def test_a_flipped_bit_in_any_byte_of_a_bundle_is_refused() -> None:
    document = golden("bundle")
    keys = {1: key_of(document).public_key()}
    envelope = bytes.fromhex(document["envelope_hex"])
    for at in range(len(envelope)):
        flipped = bytearray(envelope)
        flipped[at] ^= 1 << at % 8
        with pytest.raises((MalformedDocument, signed.BadSignature)):
            bundle.open_bundle(bytes(flipped), keys)


def test_a_signature_of_one_kind_never_passes_as_another() -> None:
    document = golden("batch")
    keys = {0: key_of(document).public_key()}
    with pytest.raises(signed.BadSignature):
        signed.open_envelope(signed.BUNDLE, bytes.fromhex(document["envelope_hex"]), keys)


@pytest.mark.parametrize(
    "raw", [b"", b"\x00", b"\x9f\xff", b"\x18\x01", b"\xa2\x01\x01\x01\x01", b"\x01\x01", b"\xff" * 40]
)
def test_non_canonical_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedDocument):
        tap.decode_tap(raw)
