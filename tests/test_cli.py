"""The command's outer edge: a fault becomes one sentence and an exit status, and commands load on demand."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from fare import cli
from fare.core.errors import OperatorError

ODD = '''"""Odd jobs of a test. It never leaves the test.

More.
"""

import typer

from fare.core.errors import OperatorError

app = typer.Typer()


@app.command()
def greet(name: str) -> None:
    """Say a name."""
    print(f"salaam {name}")


@app.command()
def stop(status: int) -> None:
    raise typer.Exit(status)


def lone(times: int = 1) -> None:
    """Count up. Then stop."""
    print(*range(times))


def operator() -> None:
    raise OperatorError("The file is not there: name another one.")


def faulty() -> None:
    raise RuntimeError("the secret inside")


def interrupted() -> None:
    raise KeyboardInterrupt
'''
NAMES = ("lone", "operator", "faulty", "interrupted")


@pytest.fixture
def mancard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `mancard …` with the commands of this file. Returns exit status, stdout, stderr."""
    (tmp_path / "odd_jobs.py").write_text(ODD, encoding="utf-8")
    (tmp_path / "broken_jobs.py").write_text("import a_package_nobody_has\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delitem(sys.modules, "odd_jobs", raising=False)
    targets = {"odd": "odd_jobs:app", "broken": "broken_jobs:app", "absent": "no_such_jobs:app"}
    targets |= {name: f"odd_jobs:{name}" for name in NAMES}
    commands = [EntryPoint(name, target, cli.GROUP) for name, target in targets.items()]

    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "mancard.commands"
        return commands

    monkeypatch.setattr(cli, "entry_points", entry_points)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            cli.main(arguments)
        printed = capfd.readouterr()
        assert isinstance(leaving.value.code, int)
        return leaving.value.code, printed.out, printed.err

    return run


type_of_run = Callable[..., tuple[int, str, str]]


def test_a_typer_app_and_a_plain_function_are_both_commands(mancard: type_of_run) -> None:
    assert mancard("odd", "greet", "city") == (0, "salaam city\n", "")
    assert mancard("lone", "--times", "3") == (0, "0 1 2\n", "")


def test_a_command_chooses_its_exit_status(mancard: type_of_run) -> None:
    assert mancard("odd", "stop", "1")[0] == 1
    assert mancard("odd", "stop", "0")[0] == 0


def test_help_reads_the_first_sentences_and_imports_nothing(mancard: type_of_run) -> None:
    for arguments in ((), ("--help",)):
        status, out, err = mancard(*arguments)
        assert (status, err) == (0, "")
        assert "  lone         Count up\n" in out
        assert "  odd          Odd jobs of a test\n" in out
        assert "  absent       (not installed)\n" in out
        assert "odd_jobs" not in sys.modules


def test_a_broken_package_takes_no_other_command_with_it(mancard: type_of_run) -> None:
    status, out, err = mancard("broken")
    assert (status, out) == (2, "")
    assert "'a_package_nobody_has' is missing" in err
    assert mancard("lone")[0] == 0


def test_an_operator_error_is_its_sentence_and_status_2(mancard: type_of_run) -> None:
    assert mancard("operator") == (2, "", "mancard: The file is not there: name another one.\n")


def test_an_unknown_command_names_the_known_ones(mancard: type_of_run) -> None:
    status, out, err = mancard("lune")
    assert (status, out) == (2, "")
    assert "no command 'mancard lune'" in err
    assert "lone" in err


def test_wrong_usage_is_status_2_without_a_traceback(mancard: type_of_run) -> None:
    status, _, err = mancard("lone", "--times", "many")
    assert status == 2
    assert err.startswith("mancard lone: Invalid value for '--times'")
    assert err.count("\n") == 1


def test_a_group_called_bare_says_where_help_is(mancard: type_of_run) -> None:
    assert mancard("odd") == (2, "", "mancard odd: Missing command. 'mancard odd --help' tells more.\n")
    status, out, _ = mancard("odd", "--help")
    assert status == 0
    assert "greet" in out


def test_interruption_is_status_130(mancard: type_of_run) -> None:
    assert mancard("interrupted")[0] == 130


def test_a_fault_is_one_sentence_and_a_private_log(mancard: type_of_run, tmp_path: Path) -> None:
    status, out, err = mancard("faulty")
    log = tmp_path / "state" / "faults.log"
    assert (status, out) == (70, "")
    assert err.count("\n") == 1
    assert str(log) in err
    assert "the secret inside" not in err
    assert "RuntimeError: the secret inside" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    mancard("faulty")
    assert log.read_text().count("RuntimeError: the secret inside") == 2


def test_a_fault_log_is_never_written_through_a_link(
    mancard: type_of_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "faults.log").symlink_to(elsewhere)
    fallback = tmp_path / "fallback"
    monkeypatch.setattr(cli.tempfile, "gettempdir", lambda: str(fallback))
    assert mancard("faulty")[0] == 70
    assert not elsewhere.exists()
    assert (fallback / "faults.log").exists()


def test_something_that_is_no_command_is_a_fault_of_ours(
    mancard: type_of_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_wrong_entry(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("wrong", "odd_jobs:__name__", group)]

    monkeypatch.setattr(cli, "entry_points", one_wrong_entry)
    assert mancard("wrong")[0] == 70


def test_the_operator_error_is_no_subclass_that_typer_would_swallow() -> None:
    assert not issubclass(OperatorError, (typer.BadParameter, typer.Exit, typer.Abort))
