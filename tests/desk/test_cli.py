"""`mancard card …` as a person types it, over virtual cards in a folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fare.core.errors import OperatorError
from fare.database.engine import open_engine, read
from fare.database.migrate import migrate
from fare.issuing import cards, denied
from fare.desk.cli import app
from fare.ledger import balance
from hardware.emulator.image import create_image
from tests.issuing.build import uid_of


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A founded ledger on SQLite in a folder of its own, with three blank cards."""
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("MANCARD_DATABASE_URL", raising=False)
    migrate(f"sqlite:///{tmp_path / 'mancard.db'}")
    (tmp_path / "media").mkdir()
    for number in range(3):
        create_image(tmp_path / "media", f"blank-{number}", uid_of(number), label="")
    return tmp_path


def type_in(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_blank_cards_are_issued_once(state: Path) -> None:
    media = str(state / "media")
    assert "blank-0 is card 1." in type_in("issue", "--virtual", media)
    said = type_in("issue", "--virtual", media, "--count", "5", "--category", "1")
    assert "blank-1 is card 2." in said
    assert "blank-2 is card 3." in said
    assert "blank-0" not in said
    with pytest.raises(OperatorError, match="no blank card"):
        type_in("issue", "--virtual", media)
    engine = open_engine(f"sqlite:///{state / 'mancard.db'}")
    with read(engine) as session:
        assert [card.rider_category for card in cards(session)] == [0, 1, 1]
    engine.dispose()


def test_a_card_is_loaded_listed_and_denied(state: Path) -> None:
    type_in("issue", "--virtual", str(state / "media"))
    assert "120,000 rial are signed for card 1." in type_in("load", "۱", "۱۲۰٬۰۰۰", "--reference", "psp-1")
    listed = type_in("list")
    assert "120,000" in listed
    assert "v2" in listed
    assert "denylist" in type_in("deny", "1")
    engine = open_engine(f"sqlite:///{state / 'mancard.db'}")
    with read(engine) as session:
        assert denied(session) == ({1}, set())
        assert balance(session, "psp_receivable:issuing-desk") == 120_000
    engine.dispose()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("load", "x", "5"), "card number"),
        (("load", "1", "5.5"), "whole number of rial"),
        (("load", "1", "-5"), "whole number of rial|No such option"),
        (("load", "1", "0"), "above zero"),
        (("load", "99", "5"), "not issued here"),
        (("deny", "99"), "not issued here"),
        (("deny", "zero"), "card number"),
        (("issue", "--virtual", "nowhere"), "no folder nowhere"),
    ],
)
def test_bad_input_is_one_sentence(state: Path, words: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code != 0
    said = str(result.exception) if isinstance(result.exception, OperatorError) else result.output
    assert re.search(sentence, said), said
    assert "Traceback" not in result.output
