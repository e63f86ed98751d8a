"""Desks: issuing, inspecting, loading, blocking, replacing and rolling cards, here or at a counter far away.

The conversation with a card and every key of it stay in this process; a desk lays down APDUs and learns
results.
"""

from __future__ import annotations

from fare.desk.at_once import personalise_card
from fare.desk.context import Desk
from fare.desk.jobs import Payment, Terms
from fare.desk.lost_cards import DueMoves, move_due
from fare.desk.outcomes import (
    Blocked,
    Inspected,
    Issued,
    JobKind,
    Loaded,
    Outcome,
    Replaced,
    Rolled,
    facts,
)
from fare.desk.requests import FAULTS, RIGHT_FOR, Failure, JobRequest, begin, failure_of

__all__ = [
    "FAULTS",
    "RIGHT_FOR",
    "Blocked",
    "Desk",
    "DueMoves",
    "Failure",
    "Inspected",
    "Issued",
    "JobKind",
    "JobRequest",
    "Loaded",
    "Outcome",
    "Payment",
    "Replaced",
    "Rolled",
    "Terms",
    "begin",
    "facts",
    "failure_of",
    "move_due",
    "personalise_card",
]
