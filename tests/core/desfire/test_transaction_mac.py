"""Golden bytes of every step, and the switches of a reading."""

from __future__ import annotations

import pytest

from fare.core.desfire import transaction_mac as tm
from fare.core.desfire.transaction_mac import Reading

RECORD = bytes(range(32))


def test_value_steps() -> None:
    assert tm.get_value_step(2, -1).hex() == "6c02ffffffff" + "00" * 10
    assert tm.debit_step(2, 12_000).hex() == "dc02e02e0000" + "00" * 10


def test_data_steps() -> None:
    assert tm.read_data_step(1, 0, b"\xaa" * 16).hex() == "ad01000000100000" + "00" * 8 + "aa" * 16
    assert tm.write_data_step(1, 2, b"\xaa" * 5).hex() == "8d01020000050000" + "00" * 8 + "aa" * 5 + "00" * 11
    assert tm.write_record_step(3, 0, RECORD).hex() == "8b03000000200000" + "00" * 8 + RECORD.hex()


def test_records_are_read_by_number_and_count_or_by_bytes() -> None:
    ours = tm.read_records_step(3, 1, RECORD * 2, 32)
    assert ours.hex() == "ab03010000020000" + "00" * 8 + RECORD.hex() * 2
    other = tm.read_records_step(3, 1, RECORD * 2, 32, Reading(record_numbers=False))
    assert other.hex() == "ab03200000400000" + "00" * 8 + RECORD.hex() * 2


def test_what_a_reading_leaves_out_adds_nothing() -> None:
    silent = Reading(backup_reads=False, backup_writes=False, record_reads=False, value_reads=False)
    assert tm.read_data_step(1, 0, bytes(16), silent) == b""
    assert tm.write_data_step(1, 0, bytes(16), silent) == b""
    assert tm.read_records_step(3, 0, RECORD, 32, silent) == b""
    assert tm.get_value_step(2, 5, silent) == b""


def test_a_uid_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        tm.session_mac_key(bytes(16), bytes(4), 1)
