"""The ledger's check of one card tap's proof, against the two bare CMACs that it cannot do without.

Ours rebuilds the Transaction MAC input from the tap's evidence; the floor is handed the bytes.
"""

from __future__ import annotations

from benchmarks import cards
from benchmarks.card_tap import bare_cmac
from benchmarks.measuring import Effort, Measured, compare_cpu
from fare.core.desfire.keys import CardKeys
from fare.core.proof.card import CardEvidence, tap_tmi, verify_commit


def measure(effort: Effort) -> list[Measured]:
    """Compare the check of one real tap's proof with its CMACs."""
    ride = cards.tap(cards.ready(cards.issued()).transmit)
    card, proof = ride.card, ride.proof
    tm_key = CardKeys.for_card(cards.MASTERS, card.uid).tm
    evidence = CardEvidence(
        serial=1,
        entitlement_version=1,
        delivered_version=None,
        record_read=card.newest_record,
        spent_before=card.spent,
        debit_rial=ride.charge.price.amount,
        record_written=ride.charge.record,
        previous=card.previous,
        proof=proof,
    )
    tmi = tap_tmi(evidence, card.entitlement, None)
    label = b"\x5a\x00\x01\x00\x80" + proof.tmc.to_bytes(4, "little") + card.uid

    def ours() -> None:
        if not verify_commit(tm_key, card.uid, tap_tmi(evidence, card.entitlement, None), proof):
            raise RuntimeError("the benchmark's tap does not verify")

    def floor() -> None:
        if bare_cmac(bare_cmac(tm_key, label), tmi)[1::2] != proof.tmv:
            raise RuntimeError("the floor does not compute the proof")

    what = f"ledger: one tap's proof, input of {len(tmi)} bytes rebuilt"
    return [compare_cpu("tap-proof", what, ours, floor, "the two CMACs of the same bytes", None, effort)]
