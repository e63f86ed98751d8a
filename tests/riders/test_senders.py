"""A code is printed, or handed to the city's own command; a command that fails is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from fare.riders import CodeNotSent, CommandSender, SandboxSender, code_sender
from fare.settings import LedgerSettings

MOBILE = "09141234567"


def test_the_sandbox_prints_the_code_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    SandboxSender().send(MOBILE, "مانکارت\nکد شما: 012345\n@mancard.example #012345")
    SandboxSender().send(MOBILE, "no code")
    assert capsys.readouterr().out == (
        f"one-time code for {MOBILE}: 012345\none-time code for {MOBILE}: no code\n"
    )


def test_a_command_gets_the_number_and_the_text(tmp_path: Path) -> None:
    seen = tmp_path / "seen with a blank"
    CommandSender(f"""sh -c 'printf %s "$1" > "$0"; cat >> "$0"' '{seen}'""").send(MOBILE, "کد 123456")
    assert seen.read_text(encoding="utf-8") == MOBILE + "کد 123456"


def test_a_command_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for command, told in (("/bin/false", "status 1"), ("/no/such/command", "cannot be run")):
        with pytest.raises(CodeNotSent, match=told):
            CommandSender(command).send(MOBILE, "123456")
    monkeypatch.setattr("fare.riders.senders.COMMAND_TIMEOUT_S", 0.05)
    with pytest.raises(CodeNotSent, match="took more than"):
        CommandSender("/bin/sleep").send("5", "123456")


def test_the_settings_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_sender(LedgerSettings()) is None
    assert isinstance(code_sender(LedgerSettings(code_sender="sandbox")), SandboxSender)
    chosen = LedgerSettings(code_sender="command", code_command="true --password geheim")
    assert isinstance(code_sender(chosen), CommandSender)
    assert "geheim" not in repr(chosen)
    with pytest.raises(OperatorError, match="no program that can be run") as caught:
        code_sender(LedgerSettings(code_sender="command", code_command="/no/geheim"))
    assert "geheim" not in str(caught.value)
    monkeypatch.setenv("MANCARD_CODE_SENDER", "command")
    with pytest.raises(OperatorError, match="MANCARD_CODE_COMMAND cannot be used: MANCARD_CODE_SENDER"):
        LedgerSettings()
    monkeypatch.setenv("MANCARD_CODE_COMMAND", "send 'it")
    with pytest.raises(OperatorError, match="MANCARD_CODE_COMMAND cannot be used: its quotation"):
        LedgerSettings()
    for value in ("", "pigeon"):
        monkeypatch.setenv("MANCARD_CODE_SENDER", value)
        with pytest.raises(OperatorError, match="MANCARD_CODE_SENDER cannot be used"):
            LedgerSettings()
