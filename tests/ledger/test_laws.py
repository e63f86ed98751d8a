"""Laws of the journal, over any sequence of posts: Σ = 0, each cause once, balances as in a dict."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fare.database.engine import open_engine, read, write
from fare.ledger import EntryDraft, PostingConflict, balances, post_many, trial_balance

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = date(2026, 11, 22)
ACCOUNTS = ["bank", "commission_revenue", "owner_payable:o-1", "stored_value:card:1", "stored_value:card:2"]

amounts = st.dictionaries(st.sampled_from(ACCOUNTS), st.integers(-(10**12), 10**12), max_size=4)


@st.composite
def drafts(draw: st.DrawFn) -> EntryDraft:
    legs = draw(amounts)
    legs["rounding"] = -sum(legs.values())
    return EntryDraft(
        draw(st.sampled_from(["load", "batch"])),
        draw(st.sampled_from("abc")),
        DAY + timedelta(days=draw(st.integers(0, 1))),
        "",
        legs,
    )


class Journal(RuleBasedStateMachine):
    """The real journal beside the smallest model of one."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "m.db")
        self.engine = open_engine(f"sqlite:///{self.folder / 'm.db'}")
        self.model: dict[str, EntryDraft] = {}

    @rule(batch=st.lists(drafts(), max_size=4))
    def post(self, batch: list[EntryDraft]) -> None:
        seen = dict(self.model)
        fresh: list[str] = []
        conflict = False
        for draft in batch:
            if draft.entry_id not in seen:
                seen[draft.entry_id] = draft
                fresh.append(draft.entry_id)
            stands = seen[draft.entry_id]
            conflict |= (stands.service_day, stands.legs()) != (draft.service_day, draft.legs())
        try:
            with write(self.engine) as session:
                posted = post_many(session, batch, AT)
        except PostingConflict:
            assert conflict
        else:
            assert not conflict
            assert posted == fresh
            self.model = seen

    @invariant()
    def sums_are_zero_and_balances_agree(self) -> None:
        expected: dict[str, int] = {}
        for draft in self.model.values():
            for account, amount in draft.legs():
                expected[account] = expected.get(account, 0) + amount
        with read(self.engine) as session:
            assert trial_balance(session).holds
            assert balances(session, "") == expected

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)


def test_the_journal_keeps_its_laws(migrated_sqlite: Path) -> None:
    class OverTemplate(Journal):
        template = migrated_sqlite

    run_state_machine_as_test(
        OverTemplate, settings=settings(max_examples=25, stateful_step_count=12, deadline=None, database=None)
    )
