"""What each tap of a batch is worth: its proof, its price, its ride. Pure: facts in, verdicts out.

Rides are named by the medium's own counter, so the order in which buses upload changes nothing: the same
proof again is the same tap, and another valid proof under the same name is a conflict, kept and not posted.
"""

from __future__ import annotations

from fare.collection.card_judging import judge_card
from fare.collection.facts import Facts
from fare.collection.rides import ProvenCommit, ProvenRide
from fare.collection.ticket_judging import judge_ticket
from fare.collection.verdict import Verdict
from fare.collection.words import Flag
from fare.core.tap import Outcome


def judge(verdict: Verdict, facts: Facts) -> ProvenRide | ProvenCommit | None:
    """Settle one tap by its own evidence; the ride, or the block of a card, that it proves, if it is new.

    What is new is entered in `facts`, so that later taps of the same batch meet it.
    """
    tap = verdict.tap
    if tap.card is not None:
        proven: ProvenRide | ProvenCommit | None = judge_card(verdict, tap.card, facts)
    elif tap.ticket is not None and tap.outcome is Outcome.ACCEPTED:
        proven = judge_ticket(verdict, tap.ticket, facts)
    else:
        if tap.outcome is Outcome.ACCEPTED:
            verdict.reject(Flag.NO_EVIDENCE)
        return None
    if proven is not None:
        facts.enter(proven)
    return proven
