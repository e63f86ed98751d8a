from __future__ import annotations

import pytest
from sqlalchemy import Engine

from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.staff import (
    Role,
    create_account,
    disable,
    generate_password,
    hash_password,
    open_session,
    password_hash_of,
    signed_in,
    staff,
    verify_password,
)
from tests.staff.people import NOW, PASSWORD, add_people, password_hash


def test_a_password_is_stored_as_argon2id_and_verified(engine: Engine) -> None:
    add_people(engine, sara=Role.FINANCE)
    with read(engine) as session:
        stored = password_hash_of(session, " SARA ")
        assert password_hash_of(session, "nobody") is None
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, PASSWORD)
    assert not verify_password(stored, PASSWORD + "x")


def test_no_account_and_no_hash_verify_nothing() -> None:
    assert not verify_password(None, PASSWORD)
    assert not verify_password("not a hash", PASSWORD)
    assert not verify_password(password_hash(), "x" * 10_000)


@pytest.mark.parametrize("password", ["", "eleven-char", "x" * 257])
def test_passwords_of_a_bad_length_are_refused(password: str) -> None:
    with pytest.raises(OperatorError, match="12 to 256"):
        hash_password(password)


def test_generated_passwords_are_long_enough_and_differ() -> None:
    drawn = {generate_password() for _ in range(50)}
    assert len(drawn) == 50
    assert {len(password) for password in drawn} == {29}


def test_accounts_are_listed_in_order(engine: Engine) -> None:
    add_people(engine, sara=Role.FINANCE, bahram=Role.OWNER)
    with read(engine) as session:
        assert [(who.staff_id, who.role, who.owner_id) for who in staff(session)] == [
            ("bahram", Role.OWNER, "o-1"),
            ("sara", Role.FINANCE, None),
        ]


@pytest.mark.parametrize(
    ("name", "role", "owner_id"),
    [
        ("x", Role.FINANCE, None),
        ("two words", Role.FINANCE, None),
        ("sara", Role.FINANCE, None),
        ("new", Role.FINANCE, "o-1"),
        ("new", Role.OWNER, None),
    ],
)
def test_accounts_that_make_no_sense_are_refused(
    engine: Engine, name: str, role: Role, owner_id: str | None
) -> None:
    add_people(engine, sara=Role.CLERK)
    with pytest.raises(OperatorError), write(engine) as session:
        create_account(session, name, role, password_hash(), NOW, owner_id)
    with read(engine) as session:
        assert [(who.staff_id, who.role) for who in staff(session)] == [("sara", Role.CLERK)]


def test_a_disabled_account_is_signed_out_everywhere(engine: Engine) -> None:
    add_people(engine, sara=Role.FINANCE)
    with write(engine) as session:
        token = open_session(session, "sara", NOW)
    with write(engine) as session:
        disable(session, "sara")
    with read(engine) as session:
        assert signed_in(session, token, NOW) is None
        assert password_hash_of(session, "sara") is None
    with pytest.raises(OperatorError, match="no account"), write(engine) as session:
        disable(session, "nobody")
