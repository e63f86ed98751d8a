from __future__ import annotations

import re

import pytest

from fare.database.engine import open_engine, read
from fare.settings import LedgerSettings
from fare.staff import password_hash_of, verify_password
from tests.staff.commands import Commands
from tests.staff.people import PASSWORD


def stored(name: str) -> str | None:
    engine = open_engine(LedgerSettings().database_url)
    try:
        with read(engine) as session:
            return password_hash_of(session, name)
    finally:
        engine.dispose()


def test_a_generated_password_is_printed_once_and_works(commands: Commands) -> None:
    status, out, err = commands("staff", "add", "ada", "--role", "administrator", "--generate")
    assert (status, err) == (0, "")
    found = re.search(r"once: (\S+)", out)
    assert found is not None
    assert verify_password(stored("ada"), found[1])
    assert found[1] not in commands("staff", "list")[1]


def test_a_typed_password_is_asked_for_twice_and_never_shown(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def type_it(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer._click.termui.hidden_prompt_func", type_it)
    status, out, _ = commands("staff", "add", "sara", "--role", "finance")
    assert status == 0
    assert len(asked) == 2
    assert PASSWORD not in out
    assert verify_password(stored("sara"), PASSWORD)


def test_a_forgotten_password_is_replaced(commands: Commands) -> None:
    commands("staff", "add", "ada", "--role", "administrator", "--generate")
    before = stored("ada")
    status, out, err = commands("staff", "password", "ada", "--generate")
    assert (status, err) == (0, "")
    assert stored("ada") != before
    assert verify_password(stored("ada"), out.split("once: ")[1].strip())
    commands("staff", "disable", "ada")
    assert "disabled" in commands("staff", "password", "ada", "--generate")[2]


def test_a_disabled_account_shows_as_such(commands: Commands) -> None:
    commands("staff", "add", "ada", "--role", "administrator", "--generate")
    assert commands("staff", "disable", "ada")[0] == 0
    assert "disabled" in commands("staff", "list")[1]
    assert stored("ada") is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "ada", "--role", "king", "--generate"), "no role 'king'"),
        (("add", "ada", "--role", "owner", "--generate"), "names its owner"),
        (("add", "a b", "--role", "clerk", "--generate"), "choose another"),
        (("add", "ada", "--role", "clerk"), "no terminal"),
        (("disable", "nobody"), "no account nobody"),
        (("password", "nobody", "--generate"), "no account nobody"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    commands: Commands, arguments: tuple[str, ...], told: str
) -> None:
    status, out, err = commands("staff", *arguments)
    assert (status, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
