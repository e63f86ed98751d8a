"""Posting: each cause once, sums of zero, nothing in between."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.ledger import (
    EntryDraft,
    ImpossibleEntry,
    PostingConflict,
    balance,
    balances,
    clearing,
    post,
    post_many,
    postings_of,
    trial_balance,
)
from fare.ledger.journal import entry_digest

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = date(2026, 11, 22)
LOAD = {"psp_receivable:t1": 50_000, "stored_value:card:17": -50_000}


def a_draft(cause_id: str, amount: int = 5) -> EntryDraft:
    return EntryDraft(
        "batch", cause_id, DAY, "taps", {"clearing:2026-11-22": amount, "owner_payable:o-1": -amount}
    )


def test_an_entry_moves_its_accounts(engine: Engine) -> None:
    with write(engine) as session:
        assert post(session, "load", "o1", DAY, "top-up", LOAD, AT) == "load:o1"
    with read(engine) as session:
        assert balance(session, "psp_receivable:t1") == 50_000
        assert balance(session, "stored_value:card:17") == -50_000
        assert balance(session, "stored_value:card:1") == 0
        assert postings_of(session, "load:o1") == LOAD
        assert postings_of(session, "load:o2") == {}


def test_the_same_cause_posts_once(engine: Engine) -> None:
    for expected in ("load:o1", None, None):
        with write(engine) as session:
            assert post(session, "load", "o1", DAY, "top-up", LOAD, AT) == expected
    with read(engine) as session:
        assert balance(session, "psp_receivable:t1") == 50_000


@pytest.mark.parametrize(
    "change",
    [
        {"postings": {"psp_receivable:t1": 50_001, "stored_value:card:17": -50_001}},
        {"postings": {"psp_receivable:t2": 50_000, "stored_value:card:17": -50_000}},
        {"description": "another"},
        {"service_day": date(2026, 11, 23)},
    ],
)
def test_the_same_cause_with_another_content_is_a_conflict(engine: Engine, change: dict[str, object]) -> None:
    first = {"service_day": DAY, "description": "top-up", "postings": LOAD}
    with write(engine) as session:
        post_many(session, [EntryDraft("load", "o1", **first)], AT)  # pyright: ignore[reportArgumentType]
    changed = EntryDraft("load", "o1", **(first | change))  # pyright: ignore[reportArgumentType]
    with pytest.raises(PostingConflict, match="load:o1") as caught, write(engine) as session:
        post_many(session, [a_draft("new"), changed], AT)
    assert caught.value.entry_id == "load:o1"
    with read(engine) as session:
        assert postings_of(session, "load:o1") == LOAD
        assert postings_of(session, "batch:new") == {}


@pytest.mark.parametrize(
    ("postings", "words"),
    [
        ({"bank": 1}, "1 rial are left over"),
        ({"bank": 1, "refunds": -2}, "-1 rial are left over"),
        ({"bank": 1, "nonsense:x": -1}, "no kind of account 'nonsense'"),
        ({"bank": 1, "owner_payable:": -1}, "names no party"),
        ({"bank": 1.0, "refunds": -1.0}, "whole number"),
        ({"bank": True, "refunds": -1}, "whole number"),
        ({"bank": 2**63, "refunds": -(2**63)}, "whole number"),
    ],
)
def test_an_impossible_entry_is_refused(engine: Engine, postings: dict[str, int], words: str) -> None:
    with pytest.raises(ImpossibleEntry, match=words), write(engine) as session:
        post_many(session, [a_draft("good"), EntryDraft("x", "1", DAY, "", postings)], AT)
    with read(engine) as session:
        assert trial_balance(session).by_kind == {}


@pytest.mark.parametrize(("kind", "cause_id"), [("", "1"), ("a:b", "1"), ("a", "")])
def test_an_entry_names_its_cause(engine: Engine, kind: str, cause_id: str) -> None:
    with pytest.raises(ImpossibleEntry, match="cause"), write(engine) as session:
        post(session, kind, cause_id, DAY, "", {}, AT)


def test_legs_of_zero_are_left_out_and_an_entry_may_have_none(engine: Engine) -> None:
    with write(engine) as session:
        post(session, "batch", "b", DAY, "", {"bank": 1, "refunds": -1, "rounding": 0}, AT)
        assert post(session, "batch", "free", DAY, "", {"rounding": 0}, AT) == "batch:free"
        assert post(session, "batch", "free", DAY, "", {}, AT) is None
    with read(engine) as session:
        assert postings_of(session, "batch:b") == {"bank": 1, "refunds": -1}
        assert trial_balance(session).holds


def test_many_entries_at_once(engine: Engine) -> None:
    drafts = [a_draft(f"b{n}", n + 1) for n in range(1200)]
    with write(engine) as session:
        assert post_many(session, drafts[:10], AT) == [d.entry_id for d in drafts[:10]]
    with write(engine) as session:
        assert post_many(session, [*drafts, drafts[3]], AT) == [d.entry_id for d in drafts[10:]]
        assert post_many(session, [], AT) == []
    with read(engine) as session:
        assert clearing(session, DAY) == 1200 * 1201 // 2
        assert trial_balance(session).holds


def test_two_drafts_of_one_cause_must_agree(engine: Engine) -> None:
    with pytest.raises(PostingConflict), write(engine) as session:
        post_many(session, [a_draft("b", 1), a_draft("b", 2)], AT)


def test_a_cause_posted_by_two_at_the_same_moment_is_posted_once(engine: Engine) -> None:
    gate = threading.Barrier(4)
    results: list[list[str]] = []

    def work(own: int) -> None:
        gate.wait()
        with write(engine) as session:
            posted = post_many(session, [a_draft(f"b{n}") for n in range(40)] + [a_draft(f"own{own}")], AT)
        results.append(posted)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry for posted in results for entry in posted) == sorted(
        [f"batch:b{n}" for n in range(40)] + [f"batch:own{n}" for n in range(4)]
    )
    with read(engine) as session:
        assert clearing(session, DAY) == 44 * 5


def test_balances_by_prefix(engine: Engine) -> None:
    with write(engine) as session:
        for serial, amount in ((1, 10), (17, 20), (2, 30)):
            legs = {"bank": amount, f"stored_value:card:{serial}": -amount}
            post(session, "load", str(serial), DAY, "", legs, AT)
        post(session, "load", "w", DAY, "", {"bank": 5, "stored_value:wallet:w1": -5}, AT)
    with read(engine) as session:
        assert balances(session, "stored_value:card:") == {
            "stored_value:card:1": -10,
            "stored_value:card:17": -20,
            "stored_value:card:2": -30,
        }
        assert len(balances(session, "stored_value:")) == 4
        assert balances(session, "bank") == {"bank": 65}
        assert len(balances(session, "")) == 5


def test_names_outside_ascii_are_found_by_prefix(engine: Engine) -> None:
    names = ["owner_payable:آذر", "owner_payable:آذربایجان", "owner_payable:\U0001f68c", "owner_payable:z"]
    with write(engine) as session:
        post(session, "x", "1", DAY, "", dict.fromkeys(names, 1) | {"rounding": -4}, AT)
    with read(engine) as session:
        assert sorted(balances(session, "owner_payable:")) == sorted(names)
        assert set(balances(session, "owner_payable:آذر")) == set(names[:2])
        assert trial_balance(session).holds


def test_the_digest_is_over_these_very_bytes() -> None:
    """Golden: an auditor computes it from an export with any CBOR library."""
    digest = entry_digest("load:o1", DAY, "top-up", [("psp_receivable:t1", 5), ("stored_value:card:17", -5)])
    assert digest.hex() == "f268a04798ee4cf7b60ad087a2ff05aed8f9de642620c13887ba028924d7c16b"


def tamper(engine: Engine, *statements: str) -> None:
    """Change what must not change, as the owner of the database can."""
    if engine.dialect.name == "sqlite":
        triggers = [
            f"DROP TRIGGER ledger_{table}_refuses_{verb}"
            for table in ("entry", "posting")
            for verb in ("update", "delete")
        ]
    else:
        triggers = ["SET session_replication_role = replica"]
    with engine.begin() as connection:
        for statement in (*triggers, *statements):
            connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    ("statement", "unbalanced", "altered", "total"),
    [
        (
            "UPDATE ledger_posting SET amount_rial = amount_rial + 1 WHERE account_id = 'psp_receivable:t1'",
            1,
            1,
            1,
        ),
        ("UPDATE ledger_posting SET amount_rial = amount_rial * 2", 0, 1, 0),
        ("UPDATE ledger_posting SET account_id = 'owner_payable:thief' WHERE account_id LIKE 's%'", 0, 1, 0),
        ("UPDATE ledger_posting SET service_day = '2026-11-23'", 0, 1, 0),
        ("DELETE FROM ledger_posting WHERE account_id = 'psp_receivable:t1'", 1, 1, -50_000),
        ("DELETE FROM ledger_posting", 0, 1, 0),
        ("DELETE FROM ledger_entry", 0, 1, 0),
        ("UPDATE ledger_entry SET description = 'gift'", 0, 1, 0),
        ("UPDATE ledger_entry SET service_day = '2026-11-23'", 0, 1, 0),
    ],
)
def test_tampering_is_named(
    engine: Engine, owner_engine: Engine, statement: str, unbalanced: int, altered: int, total: int
) -> None:
    with write(engine) as session:
        post(session, "load", "o1", DAY, "top-up", LOAD, AT)
    with read(engine) as session:
        assert trial_balance(session).holds
    tamper(owner_engine, statement)
    with read(engine) as session:
        found = trial_balance(session)
    assert not found.holds
    assert found.altered_entries == ("load:o1",) * altered
    assert found.unbalanced_entries == ("load:o1",) * unbalanced
    assert found.total == total


def test_the_trial_balance_adds_up_by_kind(engine: Engine) -> None:
    with write(engine) as session:
        post(session, "load", "o1", DAY, "top-up", LOAD, AT)
        post(session, "deposit", "s:1", DAY, "PSP", {"bank": 20_000, "psp_receivable:t1": -20_000}, AT)
    with read(engine) as session:
        found = trial_balance(session)
    assert found.by_kind == {"bank": 20_000, "psp_receivable": 30_000, "stored_value": -50_000}
    assert (found.total, found.holds) == (0, True)
