"""The house itself: its services answer, its doors stay shut. It tests nothing of what a fare is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from redis import Redis

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.services.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
# Written in two parts, so that this file does not find itself.
MACHINE_PATHS = re.compile(rb"(?<![\w.~])/(?:work|root" rb"|home/\w+)/[\w.]")
LIBRARIES_OF_THE_LEDGER = ("fastapi", "starlette", "sqlalchemy", "sqlmodel", "uvicorn", "alembic")


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [
        ROOT / name for name in os.fsdecode(listed.stdout).split("\0") if name and (ROOT / name).is_file()
    ]


def test_postgres_answers_and_each_test_has_a_database(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_server.dsn(database)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        (version,) = connection.execute("select current_setting('server_version_num')::int").fetchone() or (
            0,
        )
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert version >= 150000
    assert tables == []


def test_redis_answers_and_begins_empty(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.dbsize() == 0
        client.set("left behind", 1)


def test_the_browser_opens_a_page_and_runs_its_script(page: Page) -> None:
    page.goto(
        "data:text/html;charset=utf-8,<html dir=rtl><p id=p>سلام</p><script>p.append(' ', 20+22)</script>"
    )
    assert page.inner_text("#p") == "سلام 42"
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"


def test_importing_the_validator_loads_no_library_of_the_ledger() -> None:
    program = "import sys, readers.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "readers" in loaded
    assert loaded.isdisjoint(LIBRARIES_OF_THE_LEDGER)


def test_no_file_names_a_path_of_one_machine() -> None:
    files = tracked_files()
    assert ROOT / "pyproject.toml" in files
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in files
        if (match := MACHINE_PATHS.search(path.read_bytes()))
    ]
    assert found == []


def test_the_requirement_files_are_hashed_and_name_no_registry() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        packages = re.split(r"\n(?=\S)", text.partition("\n")[2].strip())
        assert len(packages) > 20
        assert [package for package in packages if "--hash=sha256:" not in package] == []


def test_every_package_of_fare_has_its_layer() -> None:
    """A package that no contract names would be free to import anything."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = next(c["layers"] for c in project["tool"]["importlinter"]["contracts"] if c["id"] == "layers")
    placed = set(re.findall(r"fare\.(\w+)", " ".join(layers)))
    packages = {path.parent.name for path in (ROOT / "fare").glob("*/__init__.py")}
    assert packages - placed == set()


def test_every_command_of_the_group_is_there() -> None:
    """Each name in the entry-point group leads to an object that exists."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    targets = project["project"]["entry-points"]["mancard.commands"].values()
    program = "".join("import {0}\n{0}.{1}\n".format(*target.split(":")) for target in targets)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
