from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.strict_cbor import (
    UINT32_MAX,
    NotStrictCbor,
    StrictReader,
    write_boolean,
    write_bytes,
    write_text_or_null,
    write_uint,
)


def read_uint(data: bytes) -> int:
    reader = StrictReader(data)
    value = reader.uint()
    reader.end()
    return value


def read_bytes(data: bytes) -> bytes:
    reader = StrictReader(data)
    value = reader.byte_string()
    reader.end()
    return value


@given(st.integers(0, UINT32_MAX))
def test_integers_agree_with_cbor2(value: int) -> None:
    assert write_uint(value) == cbor2.dumps(value)
    assert read_uint(write_uint(value)) == value


@given(st.binary(max_size=70_000))
def test_byte_strings_agree_with_cbor2(value: bytes) -> None:
    assert write_bytes(value) == cbor2.dumps(value)
    assert read_bytes(write_bytes(value)) == value


@pytest.mark.parametrize("value", [True, False])
def test_booleans_agree_with_cbor2(value: bool) -> None:
    assert write_boolean(value) == cbor2.dumps(value)
    assert StrictReader(write_boolean(value)).boolean() is value


@given(st.none() | st.text(min_size=1, max_size=90))
def test_texts_and_null_agree_with_cbor2(value: str | None) -> None:
    encoded = write_text_or_null(value)
    assert encoded == cbor2.dumps(value)
    reader = StrictReader(encoded)
    assert reader.text_or_null(400) == value
    reader.end()


# Every one of these is accepted by a general decoder as the same text, or as nothing.
@pytest.mark.parametrize("encoded", ["7803616263", "790003616263", "7f63616263ff", "d82063616263", "f7"])
def test_longer_indefinite_and_tagged_texts_are_refused(encoded: str) -> None:
    cbor2.loads(bytes.fromhex(encoded))
    with pytest.raises(NotStrictCbor):
        StrictReader(bytes.fromhex(encoded)).text_or_null(32)


@pytest.mark.parametrize(
    "encoded", ["", "60", "61", "64616263", "61ff", "62c080", "63eda080", "43616263", "f8f6", "f4"]
)
def test_cut_empty_and_other_forms_are_no_text(encoded: str) -> None:
    with pytest.raises(NotStrictCbor):
        StrictReader(bytes.fromhex(encoded)).text_or_null(32)


def test_a_text_is_counted_in_bytes() -> None:
    assert StrictReader(cbor2.dumps("۱" * 16)).text_or_null(32) == "۱" * 16
    with pytest.raises(NotStrictCbor, match=r"outside 1\.\.32"):
        StrictReader(cbor2.dumps("۱" * 17)).text_or_null(32)


# Every one of these is accepted by a general decoder as the same value.
LOOSE_INTEGERS = [
    "1817",
    "1800",
    "190017",
    "1900ff",
    "1a0000ffff",
    "1a00000001",
    "1b0000000000000001",
    "c101",
]
LOOSE_BYTES = ["5803010203", "590003010203", "5a00000003010203", "5f43010203ff", "d84043010203"]


@pytest.mark.parametrize("encoded", LOOSE_INTEGERS)
def test_longer_and_tagged_integers_are_refused(encoded: str) -> None:
    cbor2.loads(bytes.fromhex(encoded))
    with pytest.raises(NotStrictCbor):
        read_uint(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", LOOSE_BYTES)
def test_longer_indefinite_and_tagged_strings_are_refused(encoded: str) -> None:
    cbor2.loads(bytes.fromhex(encoded))
    with pytest.raises(NotStrictCbor):
        read_bytes(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    "encoded", ["", "18", "19", "1901", "1a010000", "1c", "1f", "20", "40", "60", "80", "f4"]
)
def test_cut_or_other_forms_are_no_integer(encoded: str) -> None:
    with pytest.raises(NotStrictCbor):
        read_uint(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    "encoded", ["", "43", "430102", "5818", "58", "5a7fffffff00", "5b0000000000000001ff", "01"]
)
def test_cut_or_other_forms_are_no_byte_string(encoded: str) -> None:
    with pytest.raises(NotStrictCbor):
        read_bytes(bytes.fromhex(encoded))


def test_a_string_that_runs_past_the_end_is_not_handed_out() -> None:
    with pytest.raises(NotStrictCbor, match="past the end"):
        StrictReader(b"\x43ab").byte_string()


@pytest.mark.parametrize("encoded", ["9f", "9804", "bf", "b804", "01", ""])
def test_containers_are_definite_and_shortest(encoded: str) -> None:
    for read in (StrictReader(bytes.fromhex(encoded)).array, StrictReader(bytes.fromhex(encoded)).map):
        with pytest.raises(NotStrictCbor):
            read()


def test_container_heads_give_their_sizes() -> None:
    assert StrictReader(b"\x84").array() == 4
    assert StrictReader(b"\x98\x18" + bytes(24)).array() == 24
    assert StrictReader(b"\xa0").map() == 0


@pytest.mark.parametrize("encoded", ["", "00", "01", "f6", "f814", "f815"])
def test_only_two_bytes_are_booleans(encoded: str) -> None:
    with pytest.raises(NotStrictCbor):
        StrictReader(bytes.fromhex(encoded)).boolean()


def test_bounds_size_literal_and_end() -> None:
    for act in (
        lambda: StrictReader(b"\x05").uint(6),
        lambda: StrictReader(b"\x05").uint(0, 4),
        lambda: StrictReader(b"\x42ab").byte_string(3),
        lambda: StrictReader(b"\xa1").literal(b"\xa1\x01", "a map"),
        lambda: StrictReader(b"\x01").end(),
    ):
        with pytest.raises(NotStrictCbor):
            act()
    reader = StrictReader(b"\x05\x42ab\xa1\x01")
    assert reader.uint(5, 5) == 5
    assert reader.byte_string(2) == b"ab"
    reader.literal(b"\xa1\x01", "a map")
    assert reader.position() == 6
    reader.end()


@pytest.mark.parametrize("value", [-1, UINT32_MAX + 1])
def test_what_does_not_fit_is_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        write_uint(value)


@given(st.binary(max_size=12))
def test_an_accepted_integer_has_no_second_spelling(data: bytes) -> None:
    try:
        value = read_uint(data)
    except NotStrictCbor:
        return
    assert write_uint(value) == data
