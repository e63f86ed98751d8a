"""One ledger's rider pages on both databases, with a clock and a sender of codes that tests hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from fare.keys import LedgerKeys
from fare.settings import CodeSenderKind, LedgerSettings, PaymentGatewayKind
from fare.web import mount, rider
from tests.collection.bus import City
from tests.database_fixtures import database_url
from tests.web.client import Clock
from tests.web.rider.browser import Browser, Messages

__all__ = ["database_url"]


@pytest.fixture
def messages() -> Messages:
    return Messages()


@pytest.fixture
def settings(tmp_path: Path) -> LedgerSettings:
    return LedgerSettings(
        state_dir=tmp_path,
        code_sender=CodeSenderKind.SANDBOX,
        payment_gateway=PaymentGatewayKind.SANDBOX,
        code_command=None,
    )


@pytest.fixture
def city(engine: Engine, settings: LedgerSettings) -> City:
    """The ledger's own view of the same database: tariff, buses, rides."""
    return City.found(engine, LedgerKeys.open(settings.keys_dir))


@pytest.fixture
def app(city: City, settings: LedgerSettings, clock: Clock, messages: Messages) -> FastAPI:
    application = FastAPI(docs_url=None, redoc_url=None)
    mount(application, city.engine, settings, clock)
    rider.mount(application, city.engine, settings, city.keys, clock, sender=messages)
    return application


@pytest.fixture
def browser(app: FastAPI, messages: Messages) -> Browser:
    return Browser(app, messages)


@pytest.fixture
def another_browser(app: FastAPI, messages: Messages) -> Callable[..., Browser]:
    """Another browser each time, of the same ledger; its argument is the address it comes from."""
    return lambda address="203.0.113.7": Browser(app, messages, address)
