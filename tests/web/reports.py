"""Reports of a service day for the pages' tests: values as reconciliation would compute them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from fare.reconciliation.report import DayReport, OwnerDay, ProofException, ProofState, StreamState

DAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)

WHOLE = DayReport(
    service_day=DAY,
    computed_at=NOW,
    taps=12_480,
    accepted=11_902,
    refused=571,
    unconfirmed=7,
    refusals={
        "insufficient_balance": 402,
        "card_denied": 88,
        "stale": 41,
        "held_too_short": 29,
        "word_of_tomorrow": 11,
    },
    owners=[
        OwnerDay("o-1", "شرکت تعاونی اتوبوس‌داران", 6_204, 310_200_000, 24_816_000, 0, 285_384_000),
        OwnerDay(
            "o-2", "حمید رضایی (نمونه)", 3_395, 169_750_000, 13_580_000, 1_505, 156_168_495, 12, 600_000
        ),
        OwnerDay("o-3", "اتوبوسرانی شهرداری", 2_303, 115_150_000, 9_212_000, 0, 105_938_000),
    ],
    clearing_rial=0,
    trial_balance_rial=0,
    proofs={
        "device": ProofState(24, 24, 0),
        "card": ProofState(4_117, 4_117, 0),
        "channel": ProofState(620, 620, 0),
        "bank": ProofState(9, 9, 0),
    },
    streams=[
        StreamState(7, "bus-7", "o-1", NOW.replace(minute=3), 5_210, 5_210),
        StreamState(8, "bus-8", "o-2", NOW.replace(hour=11), 3_100, 3_164),
        StreamState(9, None, None, None, 0, 0),
    ],
    sealed_at=NOW.replace(minute=2),
    late_taps=12,
)

BROKEN = replace(
    WHOLE,
    trial_balance_rial=-50_000,
    clearing_rial=5_000,
    damaged_entries=["batch:7:0123456789abcdef:2026-11-22"],
    proofs={
        **WHOLE.proofs,
        "channel": ProofState(
            620,
            619,
            1,
            [
                ProofException(
                    "channel:load_unsigned:ord-77",
                    "load_unsigned",
                    "ord-77",
                    500_000,
                    "paid at the gateway, no entitlement was signed",
                    NOW,
                    "finance",
                )
            ],
        ),
    },
)

EMPTY = DayReport(
    service_day=DAY,
    computed_at=NOW,
    taps=0,
    accepted=0,
    refused=0,
    unconfirmed=0,
    refusals={},
    owners=[],
    clearing_rial=0,
    trial_balance_rial=0,
    proofs={name: ProofState(0, 0, 0) for name in ("device", "card", "channel", "bank")},
)
