"""Settings come from the environment; a wrong one is one sentence that hides the value."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fare.core.errors import OperatorError
from fare.settings import LedgerSettings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("MANCARD_"):
            monkeypatch.delenv(name)


def test_the_embedded_default() -> None:
    settings = LedgerSettings()
    assert settings.database_url == "sqlite:///.state/mancard.db"
    assert (settings.host, settings.port, settings.redis_url) == ("127.0.0.1", 8000, None)
    assert settings.keys_dir == Path(".state/keys")
    assert settings.zone_info == ZoneInfo("Asia/Tehran")
    assert settings.day_starts_at == time(4, 0)


def test_the_database_follows_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANCARD_STATE_DIR", "/srv/mancard")
    assert LedgerSettings().database_url == "sqlite:////srv/mancard/mancard.db"
    monkeypatch.setenv("MANCARD_DATABASE_URL", "postgresql://h/db")
    assert LedgerSettings().database_url == "postgresql://h/db"
    assert LedgerSettings(database_url="sqlite:///x").database_url == "sqlite:///x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"), ("PORT", "65536"), ("PORT", "geheim"), ("ZONE", "Asia/geheim"), ("ZONE", "../geheim"),
        ("ZONE", ""), ("DAY_STARTS", "geheim"), ("DAY_STARTS", "04:00:30"), ("DAY_STARTS", "04:00+03:30"),
        ("CITY", "geheim stadt"), ("ISSUER", "256"), ("RIDES_PER_TICKET", "0"), ("RIDES_PER_TICKET", "256"),
        ("DAY_RIDES", "0"), ("PAYMENT_GATEWAY", "geheim"), ("CODE_SENDER", "geheim"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MANCARD_{name}", value)
    with pytest.raises(OperatorError, match=f"MANCARD_{name} cannot be used") as caught:
        LedgerSettings()
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    settings = LedgerSettings(database_url="postgresql://u:geheim@h/db", redis_url="redis://:geheim@h")
    assert "geheim" not in repr(settings) + str(settings)
