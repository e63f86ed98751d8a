"""The `mancard` command, assembled from the entry-point group `mancard.commands`. It holds no command itself.

Each package declares its own subcommand in pyproject.toml: a `typer.Typer` or a plain function. One is
imported only when it is called for, so a package that cannot be imported takes no other command with it, and
`mancard --help` imports none: it reads each command's first sentence from its source.

Nobody sees a traceback. Exit status: 0 done · 1 the command found something wrong · 2 a person must put
something right, and one sentence says what · 70 a fault of the program, its traceback in a log file ·
130 interrupted. A command that must say 1 raises `typer.Exit(1)`.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

import typer
from typer.exceptions import TyperException

from fare.core.errors import OperatorError

GROUP: Final = "mancard.commands"
STATE_VARIABLE: Final = "MANCARD_STATE_DIR"
STATUS_OPERATOR: Final = 2
STATUS_FAULT: Final = 70
STATUS_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit status. Default: the command line's arguments."""
    sys.exit(_status_of(list(sys.argv[1:] if arguments is None else arguments)))


def _status_of(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except TyperException as misuse:
        # Wrong options, as a rule; a group that was called bare may put its whole help text here.
        text = misuse.format_message()
        context = getattr(misuse, "ctx", None)
        name = f"mancard {arguments[0]}" if context is None else str(context.command_path)
        end = "" if text.endswith((".", "?")) else "."
        print(text if "\n" in text else f"{name}: {text}{end} '{name} --help' tells more.", file=sys.stderr)
        return misuse.exit_code
    except SystemExit as leaving:
        return _leave(leaving)
    except OperatorError as fault:
        _say(str(fault))
        return STATUS_OPERATOR
    except (KeyboardInterrupt, typer.Abort):
        return STATUS_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what Python still holds for it must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as fault:  # noqa: BLE001 - the outermost edge: here a fault becomes a sentence
        _say(_sentence_for(fault, arguments))
        return STATUS_FAULT


def _dispatch(arguments: list[str]) -> int:
    """Run one command. Returns the exit status it chose with `typer.Exit(n)`, 0 when it chose none."""
    commands = {command.name: command for command in entry_points(group=GROUP)}
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(_overview(commands))
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"mancard {version('mancard')}")
        return 0
    if name not in commands:
        known = ", ".join(sorted(commands))
        raise OperatorError(f"There is no command 'mancard {name}'. The commands are: {known}.")
    app = _as_app(_load(commands[name]))
    chosen = app(args=arguments[1:], prog_name=f"mancard {name}", standalone_mode=False)
    return chosen if isinstance(chosen, int) else 0


def _load(command: EntryPoint) -> object:
    """Import one command. Raises OperatorError when its package is not installed, anything else as it is."""
    try:
        return command.load()
    except ModuleNotFoundError as missing:
        if missing.name is None:
            raise
        raise OperatorError(
            f"'mancard {command.name}' cannot start: the Python module '{missing.name}' is missing here. "
            "Set the installation up again with 'make run'."
        ) from missing


def _as_app(command: object) -> Callable[..., object]:
    """A command that can be called with `args` and `prog_name`, whatever form its package gave it."""
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    if not callable(command):
        raise TypeError(f"a command must be a typer.Typer or a function, not {type(command).__name__}")
    single = typer.Typer(add_completion=False)
    single.command()(command)
    return typer.main.get_command(single)


def _leave(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code
    _say(str(leaving.code))
    return 1


def _say(sentence: str) -> None:
    print(f"mancard: {sentence}", file=sys.stderr)


def _overview(commands: dict[str, EntryPoint]) -> str:
    width = max((len(name) for name in commands), default=0)
    lines = [f"  {name:{width}}  {_summary(commands[name])}".rstrip() for name in sorted(commands)]
    return "\n".join(
        [
            "Mancard: the fare system of a city's buses.",
            "",
            "usage: mancard COMMAND [OPTIONS]     'mancard COMMAND --help' tells more",
            "",
            *lines,
        ]
    )


def _summary(command: EntryPoint) -> str:
    """The first sentence about a command, read from its source: of the function, else of its module."""
    try:
        found = importlib.util.find_spec(command.module)
        if found is None or found.origin is None:
            return "(not installed)"
        tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    except Exception:  # noqa: BLE001 - one package that cannot even be looked at must not cost the help text
        return "(not installed)"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == command.attr:
            return _first_sentence(ast.get_docstring(node))
    return _first_sentence(ast.get_docstring(tree))


def _first_sentence(text: str | None) -> str:
    if not text:
        return ""
    first_line = text.split("\n\n")[0].replace("\n", " ")
    return first_line.split(". ")[0].rstrip(".")


def _sentence_for(fault: Exception, arguments: list[str]) -> str:
    log = _write_fault(fault, arguments)
    what = f"'mancard {arguments[0]}' stopped on a fault of its own ({type(fault).__name__})."
    if log is None:
        return (
            f"{what} No file could be written to say more: check the disk and the rights on the state folder."
        )
    return f"{what} What happened is in {log}: pass that file on with what you were doing."


def _write_fault(fault: Exception, arguments: list[str]) -> Path | None:
    """Append the traceback to `faults.log` in the state folder, mode 0600. None: nowhere."""
    told = "".join(traceback.format_exception(fault))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = f"{at} mancard {arguments[0]}\n{told}\n"
    for folder in (Path(os.environ.get(STATE_VARIABLE, ".state")), Path(tempfile.gettempdir())):
        log = folder / "faults.log"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Arguments are left out on purpose and no one else may read it: either may hold secrets.
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as opened:
                opened.write(entry)
        except OSError:
            continue
        return log.absolute()
    return None
