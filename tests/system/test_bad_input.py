"""What a person can get wrong: one sentence that says what to do, exit status 2, and nothing lost."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fare.cli import main
from fare.database.engine import read
from fare.network import lines
from fare.settings import LedgerSettings
from hardware.city.founding import City
from hardware.city.sample import open_sample
from tests.services.started import free_port
from tests.system.city import clean_environment

pytestmark = pytest.mark.xdist_group("system-bad-input")
SAMPLE_FEED = Path(__file__).parents[2] / "fare" / "network" / "sample"
WRONG = 2
Refused = Callable[..., str]


def mancard(*arguments: str | Path, **settings: str) -> str:
    """Run a command that must refuse, as a process; the sentence it said, and nothing but that."""
    done = subprocess.run(
        [sys.executable, "-c", "from fare.cli import main; main()", *map(str, arguments)],
        env=clean_environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return only_sentence(done.returncode, done.stderr)


def only_sentence(status: int, told: str) -> str:
    """The one sentence of a refusal."""
    assert status == WRONG, f"status {status}: {told}"
    assert "Traceback" not in told
    said = told.strip().splitlines()
    assert len(said) == 1, f"more than one sentence: {told}"
    return said[0]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    """The same without a process of its own: what takes no part in the question need not be loaded anew."""

    def run(*arguments: str | Path, **settings: str) -> str:
        for name in [name for name in os.environ if name.startswith("MANCARD_")]:
            monkeypatch.delenv(name)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        return only_sentence(int(str(leaving.value.code)), capfd.readouterr().err)

    return run


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    state = tmp_path_factory.mktemp("city")
    settings = LedgerSettings(state_dir=state, database_url=f"sqlite:///{state / 'mancard.db'}")
    city, _ = open_sample(settings, "http://127.0.0.1:9", datetime.now(UTC), lambda _: None)
    yield city
    city.engine.dispose()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def test_run_names_the_taken_port_and_its_option(taken_port: int, tmp_path: Path) -> None:
    state = tmp_path / "state"

    ledger = mancard("run", "--state", state, "--port", str(taken_port), "--bus-port", str(free_port()))
    bus = mancard("run", "--state", state, "--port", str(free_port()), "--bus-port", str(taken_port))

    assert str(taken_port) in ledger
    assert "--port" in ledger
    assert str(taken_port) in bus
    assert "--bus-port" in bus
    assert not state.exists(), "half started"


def test_run_needs_two_ports(refused: Refused, tmp_path: Path) -> None:
    port = str(free_port())

    assert "--bus-port" in refused("run", "--state", tmp_path / "s", "--port", port, "--bus-port", port)


def test_run_says_that_a_state_folder_cannot_be_made(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    ports = ["--port", str(free_port()), "--bus-port", str(free_port())]

    assert "--state" in refused("run", "--state", tmp_path / "file" / "state", *ports)


def test_the_ledger_names_the_taken_port(taken_port: int, founded: City) -> None:
    state = str(founded.settings.state_dir)

    said = mancard("ledger", "serve", "--port", str(taken_port), MANCARD_STATE_DIR=state)

    assert str(taken_port) in said
    assert "--port" in said


def test_the_validator_names_the_taken_port(
    refused: Refused, taken_port: int, founded: City, tmp_path: Path
) -> None:
    said = refused(*validator(founded, tmp_path), "--port", str(taken_port))

    assert str(taken_port) in said
    assert "--port" in said


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "mysql://root:geheim@127.0.0.1/mancard",
        "postgresql://mancard:geheim@127.0.0.1:9/mancard",
        "sqlite:////proc/no/such/folder/mancard.db",
    ],
)
def test_a_wrong_database_url_is_said_without_its_password(
    refused: Refused, url: str, tmp_path: Path
) -> None:
    said = refused("ledger", "migrate", MANCARD_STATE_DIR=str(tmp_path), MANCARD_DATABASE_URL=url)

    assert "database" in said.lower()
    assert "geheim" not in said


def test_the_ledger_does_not_start_on_a_wrong_database_url(tmp_path: Path) -> None:
    settings = {"MANCARD_STATE_DIR": str(tmp_path), "MANCARD_DATABASE_URL": "sqlite:////proc/none/mancard.db"}

    assert "database" in mancard("ledger", "serve", "--port", str(free_port()), **settings).lower()


def test_a_file_that_is_no_database_is_left_as_it_is(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "mancard.db"
    file.write_bytes(b"these are my holiday photographs" * 200)
    before = file.read_bytes()

    said = refused("ledger", "migrate", MANCARD_STATE_DIR=str(tmp_path))

    assert str(file) in said
    assert file.read_bytes() == before


def test_a_named_reader_without_pcsc_service(founded: City, tmp_path: Path) -> None:
    arguments = validator(founded, tmp_path, reader="ACS ACR122U PICC Interface 00 00")

    said = mancard(*arguments, PCSCLITE_CSOCK_NAME=str(tmp_path / "nobody-listens"))

    assert "PC/SC" in said
    assert "pcscd" in said


def test_an_unreadable_journal_is_neither_used_nor_touched(founded: City, tmp_path: Path) -> None:
    journal = tmp_path / "bus" / "journal.db"
    journal.parent.mkdir(mode=0o700)
    journal.write_bytes(b"\x00garbage" * 4096)
    before = journal.read_bytes()

    said = mancard(*validator(founded, tmp_path), "--port", str(free_port()))

    assert str(journal) in said
    assert "move" in said or "restore" in said
    assert journal.read_bytes() == before


def test_a_journal_that_may_not_be_read(refused: Refused, founded: City, tmp_path: Path) -> None:
    journal = tmp_path / "bus" / "journal.db"
    journal.mkdir(parents=True, mode=0o700)
    (journal / "a folder in its place").touch()

    assert str(journal) in refused(*validator(founded, tmp_path), "--port", str(free_port()))


def test_a_kit_that_others_may_read_is_refused(refused: Refused, founded: City, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    shutil.copytree(founded.kits / "device-1", kit)
    (kit / "card-keys.json").chmod(0o644)

    said = refused("validator", "--kit", kit, "--state", tmp_path / "bus", "--reader", f"virtual:{tmp_path}")

    assert "chmod 600" in said


@pytest.mark.parametrize(
    ("table", "column"),
    [("routes.txt", "route_id"), ("stops.txt", "stop_id"), ("stop_times.txt", "trip_id")],
)
def test_a_feed_with_a_missing_column_changes_nothing(
    refused: Refused, table: str, column: str, founded: City, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.zip"
    with zipfile.ZipFile(feed, "w") as archive:
        for file in SAMPLE_FEED.glob("*.txt"):
            text = file.read_text(encoding="utf-8-sig")
            archive.writestr(file.name, text.replace(column, "column_x", 1) if file.name == table else text)
    with read(founded.engine) as session:
        before = lines(session)

    said = refused("network", "import", feed, MANCARD_STATE_DIR=str(founded.settings.state_dir))

    assert table in said
    assert column in said
    with read(founded.engine) as session:
        assert lines(session) == before


def test_a_feed_that_is_not_there(refused: Refused, tmp_path: Path, founded: City) -> None:
    state = str(founded.settings.state_dir)

    assert "feed.zip" in refused("network", "import", tmp_path / "feed.zip", MANCARD_STATE_DIR=state)


def test_a_day_that_cannot_be_simulated_is_said(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "something").touch()

    assert "--state" in refused("day", "--vehicles", "1", "--taps", "20", "--state", tmp_path)
    assert "2026-13-01" in refused("day", "--date", "2026-13-01")


def validator(city: City, folder: Path, reader: str | None = None) -> list[str | Path]:
    """Arguments of a validator that would start."""
    kit = city.kits / "device-1"
    address = reader or f"virtual:{city.media}"
    return ["validator", "--kit", kit, "--state", folder / "bus", "--reader", address]


def test_nothing_was_left_open_to_others(founded: City) -> None:
    """Whatever the city wrote that holds a secret is for its owner alone."""
    state = founded.settings.state_dir
    secret = [
        *state.glob("keys/*"),
        *state.glob("kits/*/*"),
        *founded.media.glob("*.phone.json"),
        *founded.media.glob("*.card.json"),
        state / "first-sign-in.txt",
    ]

    assert len(secret) > 10
    assert {oct(file.stat().st_mode & 0o777) for file in secret} == {"0o600"}
