from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from fare.issuing.gateway import GatewayUnavailable
from fare.issuing.sandbox_payments import PAYABLE_FOR, STATE_FILE, TERMINAL, SandboxGateway
from fare.reconciliation.outside_files import open_file, psp_rows
from fare.reconciliation.profiles import PSP_DEFAULT, load_profile
from fare.settings import LedgerSettings
from fare.web import sandbox_gateway
from fare.web.console import Console
from tests.web.client import Clock, Visitor

BACK = "http://testserver/rider/topup/o1"


@pytest.fixture
def gateway(tmp_path: Path, clock: Clock) -> SandboxGateway:
    return SandboxGateway(tmp_path, clock)


@pytest.fixture
def shop(app: FastAPI, engine: Engine, tmp_path: Path, clock: Clock, gateway: SandboxGateway) -> Visitor:
    """A visitor of the provider's pages."""
    console = Console(engine, LedgerSettings(state_dir=tmp_path), clock)
    app.include_router(sandbox_gateway.routes(console, gateway))
    return Visitor(app)


def authority(gateway: SandboxGateway, order: str = "o1") -> str:
    found = gateway.authority_of(order)
    assert found is not None
    return found


def press(shop: Visitor, address: str, button: str, **headers: str) -> int:
    return shop.post(address, data={"button": button}, headers=headers, follow_redirects=False).status_code


def test_a_payment_is_known_by_asking_and_never_by_coming_back(
    gateway: SandboxGateway, shop: Visitor
) -> None:
    address = gateway.begin("o1", 120_000, BACK)
    assert gateway.begin("o1", 120_000, BACK) == address
    name = authority(gateway)
    assert address == f"http://testserver/sandbox-gateway/{name}"
    assert gateway.verify(name, 120_000) is None
    shown = shop.get(address)
    assert "۱۲٬۰۰۰ تومان" in shown.text
    assert "دوازده هزار تومان" in shown.text
    assert shown.headers["cache-control"] == "no-store"

    back = shop.post(address, data={"button": "pay"}, follow_redirects=False)

    assert (back.status_code, back.headers["location"]) == (303, BACK)
    reference = gateway.verify(name, 120_000)
    assert reference is not None
    assert gateway.verify(name, 120_001) is None, "another amount was not paid"
    assert gateway.verify("0" * 32, 120_000) is None
    assert press(shop, address, "pay") == press(shop, address, "cancel") == 303
    assert gateway.verify(name, 120_000) == reference, "paid once, whatever is pressed afterwards"
    assert not gateway.has_failed(name)
    assert "پرداخت شده است" in shop.get(address).text


def test_what_was_cancelled_or_waits_too_long_is_not_paid_any_more(
    gateway: SandboxGateway, shop: Visitor, clock: Clock
) -> None:
    cancelled, late = gateway.begin("o1", 50_000, BACK), gateway.begin("o2", 50_000, BACK)
    assert press(shop, cancelled, "cancel") == 303
    assert press(shop, late, "") == press(shop, late, "pay", origin="https://elsewhere.example") == 404
    clock.pass_time(PAYABLE_FOR)
    for address, order in ((cancelled, "o1"), (late, "o2")):
        assert press(shop, address, "pay") == 303
        assert gateway.has_failed(authority(gateway, order))
        assert gateway.verify(authority(gateway, order), 50_000) is None
        assert "لغو شده" in shop.get(address).text
    assert shop.get("/sandbox-gateway/unknown").status_code == 404


def test_the_record_outlives_the_process_a_crash_and_another_process(tmp_path: Path, clock: Clock) -> None:
    first, second = SandboxGateway(tmp_path, clock), SandboxGateway(tmp_path, clock)
    first.begin("o1", 50_000, BACK)
    name = authority(second)
    with (tmp_path / STATE_FILE).open("ab") as record:
        record.write(b'{"event": "paid", "auth')
    assert second.verify(name, 50_000) is None
    second.end(name, paid=True)
    assert first.verify(name, 50_000) == SandboxGateway(tmp_path, clock).verify(name, 50_000) is not None
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600

    presses = [threading.Thread(target=each.end, args=(name,), kwargs={"paid": True}) for each in [first] * 4]
    for press_ in presses:
        press_.start()
    for press_ in presses:
        press_.join()
    assert (tmp_path / STATE_FILE).read_text().count('"event": "paid", "authority"') == 1

    with pytest.raises(GatewayUnavailable, match="record"):
        SandboxGateway(tmp_path / "nowhere", clock).begin("o3", 50_000, BACK)


def test_finance_gets_a_report_that_reconciliation_reads(
    gateway: SandboxGateway, shop: Visitor, clock: Clock
) -> None:
    gateway.begin("o1", 50_000, BACK)
    gateway.begin("o2", 70_000, BACK)
    gateway.end(authority(gateway), paid=True)
    day = clock.now.date()
    address = f"/sandbox-gateway/report/{day.isoformat()}.csv"
    assert shop.get(address, follow_redirects=False).status_code == 303
    assert Visitor(shop.app).sign_in("bahram").get(address).status_code == 403
    answer = shop.sign_in("sara").get(address)
    rows = psp_rows(open_file(answer.text), load_profile(PSP_DEFAULT, "psp"))
    assert [(row.terminal, row.amount_rial, row.paid_day) for row in rows] == [(TERMINAL, 50_000, day)]
    assert rows[0].psp_reference == gateway.verify(authority(gateway), 50_000)
    assert gateway.report(day + timedelta(days=1), LedgerSettings().zone_info).count("\n") == 1
    assert shop.get("/sandbox-gateway/report/yesterday.csv").status_code == 404
    assert date.fromisoformat("2026-11-22") == day
