"""Removes the defences of `removed_defences.toml`, one at a time, in a copy of the tree, and runs the test
that must then fail. It never touches the tree itself. `make canaries` is `python -m tests.attacks.canaries`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LIST: Final = Path(__file__).with_name("removed_defences.toml")
NOT_COPIED: Final = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "docs", "benchmarks", "build", "dist"
)
TIME_LIMIT_S: Final = 300
PYTEST_FAILED: Final = 1


@dataclass(frozen=True, slots=True)
class Removal:
    """One defence: `line` in `file` becomes `instead`, and `test` (a pytest node) must fail."""

    attack: str
    defence: str
    file: str
    line: str
    instead: str
    test: str


class BadRemoval(Exception):
    """An entry of the list does not fit the code; the message says which and what to do."""


def read_removals() -> list[Removal]:
    """The whole list. Raises BadRemoval for an entry with a missing or unknown field."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["removal"]
    try:
        return [Removal(**entry) for entry in entries]
    except TypeError as fault:
        raise BadRemoval(f"{LIST.name}: {fault}; each entry has the six fields of the others.") from fault


def without(removal: Removal, root: Path = ROOT) -> str:
    """The file's text once the defence is gone. Raises BadRemoval unless the line stands there just once."""
    path = root / removal.file
    if not path.is_file():
        raise BadRemoval(f"{removal.file} is not there: name where '{removal.defence}' stands now.")
    text = path.read_text(encoding="utf-8")
    found = text.count(removal.line)
    if found != 1:
        raise BadRemoval(
            f"{removal.file} holds {removal.line.strip()!r} {found} times, not once: "
            f"correct the line of '{removal.defence}' in {LIST.name}."
        )
    return text.replace(removal.line, removal.instead)


def copy_tree(target: Path) -> None:
    """What the tests need of the tree."""
    shutil.copytree(ROOT, target, ignore=NOT_COPIED)


def rewrite(path: Path, text: str) -> None:
    """Another text, and no compiled file of the one before: Python tells them apart by size and second."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def run_tests(tree: Path, tests: Sequence[str]) -> int:
    """Pytest's own exit status. Nothing is cached, so that no compiled file outlives its source."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-k", "not postgresql", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, timeout=TIME_LIMIT_S, check=False
    )
    if done.returncode not in (0, PYTEST_FAILED):
        print(done.stdout.decode(errors="replace")[-2_000:], file=sys.stderr)
    return done.returncode


def verdict(status: int) -> str:
    """What an exit status of pytest says about the defence that was removed."""
    if status == PYTEST_FAILED:
        return "caught"
    return "MISSED" if status == 0 else "BROKEN"


def main() -> int:
    """Try them all and print a table; 0 when each removal was caught by its test."""
    removals = read_removals()
    for removal in removals:
        without(removal)
    with tempfile.TemporaryDirectory(prefix="canaries-") as folder:
        tree = Path(folder) / "tree"
        copy_tree(tree)
        if run_tests(tree, sorted({removal.test for removal in removals})) != 0:
            print("The tests fail with every defence in place: mend that first.", file=sys.stderr)
            return 1
        missed = sum(not _try(removal, tree) for removal in removals)
    print(f"{len(removals) - missed} of {len(removals)} removed defences were caught.")
    return 1 if missed else 0


def _try(removal: Removal, tree: Path) -> bool:
    path = tree / removal.file
    whole = path.read_text(encoding="utf-8")
    began_s = time.monotonic()
    rewrite(path, without(removal, tree))
    try:
        said = verdict(run_tests(tree, [removal.test]))
    finally:
        rewrite(path, whole)
    name = removal.test.rpartition("::")[2]
    seconds = time.monotonic() - began_s
    print(f"{removal.attack}  {said}  {seconds:5.1f} s  {removal.defence:<68} {removal.file}\n{'':22}{name}")
    return said == "caught"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadRemoval as fault:
        sys.exit(str(fault))
