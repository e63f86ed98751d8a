from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from fare import reconciliation
from fare.reconciliation.report import DayReport, ProofState
from fare.web.day import typed_day, view_of
from tests.web.client import Clock, Visitor
from tests.web.reports import BROKEN, DAY, EMPTY, NOW, WHOLE


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[DayReport]:
    """What reconciliation answers: the last report of this list, whatever the day."""
    reports = [WHOLE]

    def day_report(_session: Session, day: date, now: datetime, _zone: ZoneInfo) -> DayReport:
        return replace(reports[-1], service_day=day, computed_at=now)

    monkeypatch.setattr(reconciliation, "day_report", day_report)
    return reports


def page(visitor: Visitor, path: str = "/finance/day/2026-11-22") -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("name", ["sara", "nima", "omid"])
@pytest.mark.usefixtures("shown")
def test_finance_auditor_and_operator_see_the_whole_day(visitor: Visitor, name: str) -> None:
    text = page(visitor.sign_in(name), "/finance/day?language=en&unit=rial")
    for figure in ("12,480", "11,902", "571", "547,490,495", "4,117", "620"):
        assert figure in text
    for words in (
        "Not enough balance",
        "word_of_tomorrow",
        "Everything agrees",
        "12 late rides, 600,000 rial",
    ):
        assert words in text
    assert 'data-device="8"' in text


@pytest.mark.usefixtures("shown")
def test_the_page_is_persian_first(visitor: Visitor) -> None:
    text = page(visitor.sign_in("sara"))
    for words in ("یکشنبه ۱ آذر ۱۴۰۵", "۱۲٬۴۸۰", "۵۴٬۷۴۹٬۰۴۹٫۵", "موجودی کافی نبود", 'dir="rtl"'):
        assert words in text


@pytest.mark.usefixtures("shown")
def test_an_owner_sees_its_own_figures_alone(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page(visitor.sign_in("bahram"), "/finance/day?language=en&unit=rial")
    assert "285,384,000" in text
    assert 'data-device="7"' in text
    for foreign in (
        "156,168,495",
        "105,938,000",
        "547,490,495",
        "12,480",
        "Not enough balance",
        'data-device="8"',
        "four proofs",
    ):
        assert foreign not in text
    assert "156,168,495" not in page(visitor, "/finance/day/2026-11-22/figures")


@pytest.mark.parametrize("name", ["ada", "tara", "kian"])
@pytest.mark.usefixtures("shown")
def test_other_roles_do_not_see_the_day(visitor: Visitor, name: str) -> None:
    visitor.sign_in(name)
    for path in ("/finance/day", "/finance/day/2026-11-22"):
        assert visitor.get(path).status_code == 403
    assert visitor.get("/finance/day/2026-11-22/figures").status_code == 404


@pytest.mark.usefixtures("shown")
def test_nobody_sees_the_day_without_signing_in(visitor: Visitor) -> None:
    answer = visitor.get("/finance/day/2026-11-21", follow_redirects=False)
    assert answer.headers["location"] == "/login?next=%2Ffinance%2Fday%2F2026-11-21"
    assert visitor.get("/finance/day/2026-11-22/figures").status_code == 401


def test_what_is_wrong_is_said_in_words(visitor: Visitor, shown: list[DayReport]) -> None:
    shown.append(BROKEN)
    text = page(visitor.sign_in("sara"), "/finance/day?language=en&unit=rial")
    for words in (
        "Needs attention",
        "The trial balance is not zero.",
        "The proofs have exceptions.",
        "batch:7:0123456789abcdef:2026-11-22",
        "ord-77",
        "paid at the gateway, no entitlement was signed",
        "does not agree",
        "-50,000 rial",
    ):
        assert words in text
    assert "Everything agrees" not in text


def test_a_day_without_taps_claims_nothing(visitor: Visitor, shown: list[DayReport]) -> None:
    shown.append(EMPTY)
    text = page(visitor.sign_in("sara"), "/finance/day?language=en")
    assert "No tap has arrived yet" in text
    assert "nothing to check yet" in text
    assert "Everything agrees" not in text


def test_the_fragment_follows_the_report_and_is_no_use_of_the_session(
    visitor: Visitor, shown: list[DayReport], clock: Clock
) -> None:
    visitor.sign_in("sara")
    shown.append(EMPTY)
    before = page(visitor, "/finance/day/2026-11-22/figures")
    shown.append(WHOLE)
    after = page(visitor, "/finance/day/2026-11-22/figures")
    assert "۱۲٬۴۸۰" not in before
    assert "۱۲٬۴۸۰" in after
    assert "<html" not in after
    answers: list[int] = []
    for _ in range(3):
        clock.pass_time(timedelta(minutes=10))
        answers.append(visitor.get("/finance/day/2026-11-22/figures").status_code)
    assert answers == [200, 200, 401]


@pytest.mark.usefixtures("shown")
def test_the_page_and_its_fragment_say_the_same(visitor: Visitor) -> None:
    visitor.sign_in("sara")
    fragment = page(visitor, "/finance/day/2026-11-22/figures")
    assert fragment.strip() in page(visitor)


@pytest.mark.usefixtures("shown")
def test_the_running_day_follows_the_citys_service_day(visitor: Visitor, clock: Clock) -> None:
    clock.now = datetime.fromisoformat("2026-11-23T03:59:59+03:30")
    visitor.sign_in("sara")
    assert "یکشنبه ۱ آذر ۱۴۰۵" in page(visitor, "/finance/day")
    clock.pass_time(timedelta(seconds=1))
    assert "دوشنبه ۲ آذر ۱۴۰۵" in page(visitor, "/finance/day")


@pytest.mark.usefixtures("shown")
def test_a_day_can_be_typed_in_both_calendars(visitor: Visitor) -> None:
    visitor.sign_in("sara")
    for typed in ("۱۴۰۵/۰۹/۰۱", "1405-9-1", "2026-11-22"):
        answer = visitor.get("/finance/day", params={"date": typed}, follow_redirects=False)
        assert answer.headers["location"] == "/finance/day/2026-11-22"
    assert visitor.get("/finance/day", params={"date": "yesterday"}).status_code == 400
    assert visitor.get("/finance/day/2026-02-30").status_code == 404


@pytest.mark.parametrize(
    "text",
    ["", "1405", "1405/13/01", "2026-02-30", "0000-00-00", "9999-12-31", "٢", "2026-W47-7x", "1" * 500],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert typed_day(text) is None


def test_a_page_has_no_inline_script_or_style(visitor: Visitor, shown: list[DayReport]) -> None:
    shown.append(BROKEN)
    text = page(visitor.sign_in("sara"))
    assert not re.search(r"<style|style=|\son[a-z]+=|<script(?![^>]*src=)", text)


def test_totals_are_the_sum_of_what_is_shown() -> None:
    city, own = view_of(WHOLE, None), view_of(WHOLE, "o-2")
    for field in ("rides", "gross_rial", "commission_rial", "suspense_rial", "net_rial"):
        assert getattr(city.total, field) == sum(getattr(row, field) for row in WHOLE.owners)
        assert getattr(own.total, field) == getattr(WHOLE.owners[1], field)
    assert [stream.device_id for stream in own.streams] == [8]
    assert view_of(WHOLE, "o-9").owners == ()


def test_rides_without_an_owner_are_shown_to_finance_alone(visitor: Visitor, shown: list[DayReport]) -> None:
    shown.append(replace(WHOLE, unassigned_rides=3, unassigned_rial=150_000))
    text = page(visitor.sign_in("sara"), "/finance/day?language=en&unit=rial")
    assert "in suspense until an owner is named" in text
    assert "11,905" in text
    assert view_of(shown[-1], "o-1").unassigned is None
    city = view_of(shown[-1], None).total
    assert city.gross_rial == city.commission_rial + city.suspense_rial + city.net_rial


def test_a_long_queue_is_cut_on_the_page_and_counted(visitor: Visitor, shown: list[DayReport]) -> None:
    [one] = BROKEN.proofs["channel"].items
    many = [replace(one, subject=f"ord-{n}") for n in range(250)]
    shown.append(replace(BROKEN, proofs={"channel": ProofState(300, 40, 250, many, waiting=10)}))
    text = page(visitor.sign_in("sara"), "/finance/day?language=en")
    assert text.count("A load paid and not signed") == 100
    assert "and 150 more in the queue" in text
    assert "Not due yet" in text


def test_clearing_of_an_open_day_is_no_fault() -> None:
    assert view_of(replace(WHOLE, sealed_at=None, clearing_rial=7), None).to_check == ()
    assert view_of(replace(WHOLE, sealed_at=NOW, clearing_rial=7), None).to_check == ("check.clearing",)
    assert WHOLE.service_day == DAY


def test_an_empty_ledger_shows_an_empty_day(visitor: Visitor) -> None:
    # Nothing is put in reconciliation's place here: the page and the real report must fit.
    text = page(visitor.sign_in("sara"), "/finance/day?language=en")
    assert "No tap has arrived yet" in text
    assert text.count('class="proof proof-nothing"') == 4
