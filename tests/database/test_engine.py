"""Transactions that keep their word, and faults said in a sentence."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.database.engine import open_engine, read, write
from fare.database.migrate import migrate
from fare.network.models import Feed
from tests.services.started import free_port

if TYPE_CHECKING:
    from tests.services.postgres import PostgresServer

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def a_feed(name: str, at: datetime = AT) -> Feed:
    return Feed(feed_id=name, name=name, sample=True, imported_at=at)


def add(session: Session, *feeds: Feed) -> None:
    session.add_all(feeds)
    session.flush()


def feeds(engine: Engine) -> list[str]:
    with read(engine) as session:
        return list(
            session.connection().execute(sa.text("SELECT feed_id FROM travel_feed ORDER BY 1")).scalars()
        )


def test_a_block_that_raises_leaves_nothing(engine: Engine) -> None:
    with write(engine) as session:
        session.add(a_feed("kept"))
    with pytest.raises(IntegrityError), write(engine) as session:
        add(session, a_feed("lost"), a_feed("kept"))
    assert feeds(engine) == ["kept"]


def test_reading_never_writes(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), read(engine) as session:
        add(session, a_feed("x"))
    with write(engine) as session:  # the same connection, given back, may write again
        session.add(a_feed("y"))
    assert feeds(engine) == ["y"]


def test_a_reader_sees_one_snapshot(engine: Engine) -> None:
    count = sa.text("SELECT count(*) FROM travel_feed")
    with read(engine) as reader:
        assert reader.connection().execute(count).scalar() == 0
        with write(engine) as session:
            session.add(a_feed("meanwhile"))
        assert reader.connection().execute(count).scalar() == 0
    assert feeds(engine) == ["meanwhile"]


def test_no_update_is_lost_between_writers(engine: Engine) -> None:
    with write(engine) as session:
        session.add(a_feed("0"))
    lock = " FOR UPDATE" if engine.dialect.name == "postgresql" else ""

    def count_up() -> None:
        for _ in range(25):
            with write(engine) as session:
                text = (
                    session.connection().execute(sa.text(f"SELECT name FROM travel_feed{lock}")).scalar_one()
                )
                session.connection().execute(
                    sa.text("UPDATE travel_feed SET name = :n"), {"n": str(int(text) + 1)}
                )

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(engine) as session:
        assert session.connection().execute(sa.text("SELECT name FROM travel_feed")).scalar_one() == "100"


def test_instants_come_back_aware_and_in_utc(engine: Engine) -> None:
    tehran = timezone(timedelta(hours=3, minutes=30))
    with write(engine) as session:
        session.add(a_feed("f", AT.astimezone(tehran)))
    with read(engine) as session:
        stored = session.get_one(Feed, "f").imported_at
    assert (stored, stored.tzinfo) == (AT, UTC)


def test_a_naive_instant_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="naive"), write(engine) as session:
        session.add(a_feed("f", AT.replace(tzinfo=None)))


def test_sqlite_is_opened_durably(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    migrate(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        for pragma, value in (
            ("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 15000),
            ("recursive_triggers", 1),
        ):  # fmt: skip
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value, pragma
    engine.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_application_acts_as_its_role_on_postgresql(engine: Engine, owner_engine: Engine) -> None:
    who = sa.text("SELECT current_user")
    with engine.connect() as app, owner_engine.connect() as owner:
        assert app.execute(who).scalar() == "mancard_app"
        assert owner.execute(who).scalar() == "postgres"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "cannot be read"),
        ("not a url", "cannot be read"),
        ("mysql://u:geheim@h/db", "'mysql', which is not supported"),
        ("nonsense://u:geheim@h/db", "cannot be read|not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://u:geheim@127.0.0.1", "names no database"),
        ("postgresql://u:geheim@127.0.0.1:notaport/db", "cannot be read"),
    ],
)
def test_a_wrong_url_is_one_sentence(url: str, words: str) -> None:
    for attempt in (open_engine, migrate):
        with pytest.raises(OperatorError, match=words) as caught:
            attempt(url)
        assert "geheim" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://u:geheim@127.0.0.1:{free_port()}/db"
    with pytest.raises(OperatorError, match=r"at 127\.0\.0\.1:\d+ .* cannot be reached") as caught:
        open_engine(url)
    assert "geheim" not in str(caught.value)


def test_a_database_that_is_not_there(postgres_server: PostgresServer) -> None:
    with pytest.raises(OperatorError, match="no database or user of that name"):
        migrate(postgres_server.url("nowhere"))


def test_a_login_without_rights(postgres_server: PostgresServer, postgres_url: str) -> None:
    migrate(postgres_url)
    login = f"stranger_{os.urandom(4).hex()}"
    database = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_server.dsn(database), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN".encode())
        try:
            with pytest.raises(OperatorError, match="does not let this login act as mancard_app"):
                open_engine(postgres_url.replace("://postgres@", f"://{login}@"))
        finally:
            connection.execute(f"DROP ROLE {login}".encode())


def test_a_database_without_tables(postgres_url: str, tmp_path: Path) -> None:
    for url in (postgres_url, f"sqlite:///{tmp_path / 'none.db'}"):
        with pytest.raises(OperatorError, match="run 'mancard ledger migrate'"):
            open_engine(url)
    assert not (tmp_path / "none.db").exists()


def test_a_database_of_another_version(database_url: str, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(OperatorError, match="9999"):
        open_engine(database_url)
    with pytest.raises(OperatorError, match="9999"):
        migrate(database_url)


@pytest.mark.parametrize("content", [b"this is no database " * 300, b"SQLite format 3\x00" + bytes(4080)])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.db"
    file.write_bytes(content)
    for attempt in (open_engine, migrate):
        with pytest.raises(OperatorError, match=r"m\.db (is not a database|is damaged)"):
            attempt(f"sqlite:///{file}")
    assert file.read_bytes() == content


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="cannot be made"):
        migrate(f"sqlite:///{tmp_path / 'file' / 'm.db'}")


def test_a_file_that_another_process_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    migrate(url)
    engine = open_engine(url)
    with engine.connect() as connection:  # the patience of this test is shorter
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    holder = sqlite3.connect(tmp_path / "m.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(OperatorError, match="held by another process"), write(engine):
            pass
    finally:
        holder.close()
        engine.dispose()
