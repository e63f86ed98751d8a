"""Double entry: the accounts, the journal, and what must hold of them. The only writer of postings."""

from __future__ import annotations

from fare.ledger import accounts
from fare.ledger.journal import (
    EntryDraft,
    ImpossibleEntry,
    PostingConflict,
    post,
    post_many,
)
from fare.ledger.reading import TrialBalance, balance, balances, clearing, postings_of, trial_balance

__all__ = [
    "EntryDraft",
    "ImpossibleEntry",
    "PostingConflict",
    "TrialBalance",
    "accounts",
    "balance",
    "balances",
    "clearing",
    "post",
    "post_many",
    "postings_of",
    "trial_balance",
]
