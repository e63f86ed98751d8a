"""Runs `mancard` commands in this process, as a person would, around a state folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.cli import main
from fare.database.migrate import migrate
from fare.settings import LedgerSettings


class Commands:
    """`commands("staff", "list")` gives (exit status, standard output, standard error)."""

    def __init__(self, state: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capture = capture

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        told = self._capture.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, told.out, told.err


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """A migrated SQLite state, and the command that works on it."""
    state = tmp_path / "state"
    monkeypatch.setenv("MANCARD_STATE_DIR", str(state))
    monkeypatch.delenv("MANCARD_DATABASE_URL", raising=False)
    migrate(LedgerSettings().database_url)
    return Commands(state, capsys)
