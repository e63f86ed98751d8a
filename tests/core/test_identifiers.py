from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schwifty import IBAN

from fare.core import identifiers as ids
from fare.core.money import persian_digits


@pytest.mark.parametrize("text", ["0499370899", "0790419904", "0084575948", "0963695398", "0000000051"])
def test_national_ids_whose_check_digit_holds(text: str) -> None:
    assert ids.parse_national_id(text) == text
    assert ids.parse_national_id(f" {persian_digits(text)}\u200f ") == text


@pytest.mark.parametrize("text", [str(digit) * 10 for digit in range(10)])
def test_ten_equal_digits_are_nobody(text: str) -> None:
    with pytest.raises(ids.InvalidNationalId, match="does not exist"):
        ids.parse_national_id(text)


@pytest.mark.parametrize("text", ["", "049937089", "04993708990", "049937089x", "499370899"])
def test_a_national_id_has_ten_digits(text: str) -> None:
    with pytest.raises(ids.InvalidNationalId, match="10 digits"):
        ids.parse_national_id(text)


@given(st.integers(0, 10**9 - 1))
def test_one_check_digit_holds_and_one_changed_digit_is_found(first_nine: int) -> None:
    holding: list[str] = []
    for check_digit in range(10):
        try:
            holding.append(ids.parse_national_id(f"{first_nine:09}{check_digit}"))
        except ids.InvalidNationalId:
            continue
    if len(set(f"{first_nine:09}")) > 1:
        assert len(holding) == 1
    for valid in holding:
        for place in range(9):
            # The sum mod 11 moves with each changed digit, but remainders 1 and 10 share check digit 1.
            changed = valid[:place] + str((int(valid[place]) + 1) % 10) + valid[place + 1 :]
            if valid[9] != "1":
                with pytest.raises(ids.InvalidNationalId):
                    ids.parse_national_id(changed)


@pytest.mark.parametrize(
    "text",
    [
        "09123456789",
        "9123456789",
        "+989123456789",
        "00989123456789",
        "989123456789",
        "0912 345 67-89",
        "۰۹۱۲۳۴۵۶۷۸۹",
        "٠٩١٢٣٤٥٦٧٨٩",
        "\u200e+98 912 345 6789\u200f",
    ],
)
def test_every_spelling_of_a_mobile_number(text: str) -> None:
    assert ids.parse_mobile(text) == "09123456789"


@pytest.mark.parametrize(
    "text", ["", "0912345678", "091234567890", "08123456789", "+1 912 345 6789", "0912345678a", "02112345678"]
)
def test_no_mobile_number(text: str) -> None:
    with pytest.raises(ids.InvalidMobile, match="begin with 09"):
        ids.parse_mobile(text)


# The registry's own example of the country (SWIFT IBAN registry), and its usual spellings.
@pytest.mark.parametrize(
    "text",
    [
        "IR580540105180021273113007",
        "ir58 0540 1051 8002 1273 1130 07",
        "580540105180021273113007",
        "IR۵۸۰۵۴۰۱۰۵۱۸۰۰۲۱۲۷۳۱۱۳۰۰۷",
    ],
)
def test_an_iban_in_its_spellings(text: str) -> None:
    assert ids.parse_iban(text) == "IR580540105180021273113007"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IR58",
        "DE89370400440532013000",
        "IR58054010518002127311300",
        "IR5805401051800212731130077",
        "IR58054010518002127311300X",
    ],
)
def test_no_iranian_iban(text: str) -> None:
    with pytest.raises(ids.InvalidIban, match="24 digits"):
        ids.parse_iban(text)


def with_check(account: int, check: int) -> str:
    return f"IR{check:02}{account:022}"


@given(st.integers(0, 10**22 - 1), st.integers(0, 21))
def test_one_check_holds_and_one_changed_digit_is_found(account: int, place: int) -> None:
    check = 98 - int(f"{account:022}182700") % 97
    assert ids.parse_iban(with_check(account, check)) == with_check(account, check)
    for wrong in range(100):
        if wrong != check:
            with pytest.raises(ids.InvalidIban):
                ids.parse_iban(with_check(account, wrong))
    digits = f"{account:022}"
    changed = digits[:place] + str((int(digits[place]) + 3) % 10) + digits[place + 1 :]
    with pytest.raises(ids.InvalidIban, match="check digits"):
        ids.parse_iban(f"IR{check:02}{changed}")


def test_ibans_agree_with_an_independent_reader() -> None:
    assert IBAN(ids.parse_iban("580540105180021273113007")).compact == "IR580540105180021273113007"


def test_numbers_and_aliases() -> None:
    assert ids.parse_device_id("۱۲") == 12
    assert ids.parse_device_id("16777215") == ids.MAX_DEVICE_ID
    assert ids.parse_card_serial("4294967295") == 2**32 - 1
    assert ids.parse_card_uid("04:A1:b2:c3:d4:e5:f6") == bytes.fromhex("04a1b2c3d4e5f6")
    assert ids.parse_cti("a1b2c3d4e5f60718") == bytes.fromhex("a1b2c3d4e5f60718")


@pytest.mark.parametrize("text", ["", "0", "4294967296", "1.5", "12a", "99999999999"])
def test_no_device_or_card_number(text: str) -> None:
    for parse in (ids.parse_device_id, ids.parse_card_serial):
        with pytest.raises(ids.InvalidNumber, match="whole number"):
            parse(text)


@pytest.mark.parametrize("text", ["", "a1b2", "a1b2c3d4e5f6071", "a1b2c3d4e5f6071g", "a1b2c3d4e5f6071800"])
def test_no_alias_or_uid(text: str) -> None:
    for parse in (ids.parse_cti, ids.parse_card_uid):
        with pytest.raises(ids.InvalidNumber, match="hexadecimal"):
            parse(text)


@pytest.mark.parametrize("parse", [ids.parse_national_id, ids.parse_mobile, ids.parse_iban, ids.parse_cti])
@given(text=st.text(alphabet=st.characters(exclude_characters="0123456789"), min_size=1, max_size=40))
def test_any_text_is_answered_with_one_sentence_that_does_not_repeat_it(
    parse: Callable[[str], object], text: str
) -> None:
    marked = f"xyzzy{text}"
    with pytest.raises(ids.InvalidIdentifier) as caught:
        parse(marked)
    assert str(caught.value).endswith(".")
    assert "xyzzy" not in str(caught.value)
