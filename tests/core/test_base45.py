from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core import base45

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "qr.json").read_bytes())["base45"]


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["text"])
def test_rfc_9285_examples_both_ways(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert base45.encode(data) == vector["text"]
    assert base45.decode(vector["text"]) == data


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["why"])
def test_invalid_forms_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(base45.NotBase45):
        base45.decode(vector["text"])


@pytest.mark.parametrize(
    "text",
    ["BB8 ", "BB8\n", "bb8", "BB", "BB8BB8:", "BB8GGW", "GGWBB8", "۰۰۰", "B\u20288", "B\u00e98", "FG\ud800"],
)
def test_no_repair_of_what_is_almost_base45(text: str) -> None:
    with pytest.raises(base45.NotBase45):
        base45.decode(text)


def test_nothing_is_the_text_of_no_bytes() -> None:
    assert (base45.encode(b""), base45.decode("")) == ("", b"")


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@pytest.mark.parametrize("size", [0, 1, 2, 266, 267, 268, 269, 270, 271, 5_000])
def test_round_trip_of_any_length(size: int) -> None:
    for data in (bytes(size), b"\xff" * size, bytes(number % 251 for number in range(size))):
        assert base45.decode(base45.encode(data)) == data


@given(st.text(alphabet=base45.ALPHABET, max_size=40))
def test_every_accepted_text_is_the_only_one(text: str) -> None:
    try:
        data = base45.decode(text)
    except base45.NotBase45:
        return
    assert base45.encode(data) == text


@given(st.text(max_size=20))
def test_any_text_is_answered_with_bytes_or_the_named_fault(text: str) -> None:
    try:
        data = base45.decode(text)
    except base45.NotBase45:
        return
    assert base45.encode(data) == text


def decoded_one_by_one(text: str) -> bytes | None:
    """RFC 9285 section 4, digit by digit: the slow way that the lanes must agree with."""
    out = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        if len(group) == 1 or any(character not in base45.ALPHABET for character in group):
            return None
        value = sum(base45.ALPHABET.index(character) * 45**place for place, character in enumerate(group))
        if value >= 256 ** (len(group) - 1):
            return None
        out += value.to_bytes(len(group) - 1)
    return bytes(out)


@given(st.text(alphabet=base45.ALPHABET + "aé\x00", max_size=400))
def test_all_triples_at_once_agree_with_one_by_one(text: str) -> None:
    try:
        data = base45.decode(text)
    except base45.NotBase45:
        data = None
    assert data == decoded_one_by_one(text)


def test_each_triple_is_decoded_as_alone_wherever_it_stands() -> None:
    for first in ("000", "FGW", "GGW", ":::", "00W", "A1B"):
        for second in ("000", "FGW", "GGW", "E:V"):
            text = first + second + first
            alone = [decoded_one_by_one(part) for part in (first, second, first)]
            expected = None if None in alone else b"".join(part for part in alone if part is not None)
            try:
                data = base45.decode(text)
            except base45.NotBase45:
                data = None
            assert data == expected, text
