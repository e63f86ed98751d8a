"""Outside files are read as people and banks write them, or refused with line, column and what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from fare.reconciliation.outside_files import OutsideFileFaults, bank_rows, open_file, psp_rows
from fare.reconciliation.profiles import load_profile

PSP = "psp_reference,terminal,amount_rial,paid_day,deposit_reference\n"
BANK = "booked_day,amount_rial,reference,text\n"


def psp(text: str, profile: str = "psp-csv"):
    return psp_rows(open_file(text), load_profile(profile, "psp"))


def bank(text: str, profile: str = "bank-csv"):
    return bank_rows(open_file(text), load_profile(profile, "bank"))


def test_a_psp_report_in_the_default_profile() -> None:
    (row,) = psp(PSP + "r-1,t-1,200000,2026-11-22,D-1\n")
    assert (row.psp_reference, row.terminal, row.amount_rial) == ("r-1", "t-1", 200_000)
    assert (row.paid_day, row.deposit_reference, row.line_no) == (date(2026, 11, 22), "D-1", 2)


def test_money_in_is_positive_and_money_out_negative() -> None:
    rows = bank(BANK + "2026-11-23,500000,D-1,deposit\n2026-11-23,-75000,P-1,to an owner\n")
    assert [row.amount_rial for row in rows] == [500_000, -75_000]


def test_persian_headings_digits_jalali_dates_and_toman() -> None:
    text = 'شماره مرجع,شماره پایانه,مبلغ,تاریخ\n۱۲۳۴,۹۰۱,"۲۵٬۰۰۰",۱۴۰۵/۰۹/۰۱\n'
    (row,) = psp(text, "psp-csv-fa")
    assert (row.psp_reference, row.terminal) == ("1234", "901")
    assert row.amount_rial == 250_000
    assert row.paid_day == date(2026, 11, 22)
    assert row.deposit_reference == "901/2026-11-22"


def test_money_in_and_out_in_columns_of_their_own() -> None:
    text = (
        "تاریخ,بستانکار,بدهکار,شماره پیگیری,شرح\n۱۴۰۵/۰۹/۰۲,۵۰۰۰۰۰,,D-1,واریز\n۱۴۰۵/۰۹/۰۲,,۷۵۰۰۰,P-1,برداشت\n"
    )
    assert [row.amount_rial for row in bank(text, "bank-csv-fa")] == [500_000, -75_000]


@pytest.mark.parametrize(
    ("written", "rial"),
    [
        ("1,250,000", 1_250_000),
        ("۱۲۵۰۰۰۰", 1_250_000),
        ("٥٠٠", 500),
        ("500-", -500),
        ("−500", -500),
        ("+500", 500),
        ("\u200f500", 500),
        ("1250000.00", 1_250_000),
        ("0", 0),
    ],
)
def test_amounts_as_they_are_written(written: str, rial: int) -> None:
    (row,) = bank(BANK + f'2026-11-23,"{written}",D,x\n')
    assert row.amount_rial == rial


@pytest.mark.parametrize("written", ["", "abc", "1,5", "12.5", "--5", "-5-", "1e6", "5 rial", "9" * 17])
def test_what_is_not_an_amount_is_refused_with_its_place(written: str) -> None:
    with pytest.raises(OutsideFileFaults, match=r"line 2, column amount_rial: '"):
        bank(BANK + f'2026-11-23,"{written}",D,x\n')


def test_a_part_of_a_toman_is_rial_and_a_part_of_a_rial_is_a_fault() -> None:
    head = "شماره مرجع,شماره پایانه,مبلغ,تاریخ\n"
    assert psp(head + "1,2,150.5,1405/09/01\n", "psp-csv-fa")[0].amount_rial == 1_505
    with pytest.raises(OutsideFileFaults, match="part of a rial"):
        psp(head + "1,2,150.55,1405/09/01\n", "psp-csv-fa")


def test_every_fault_is_named_at_once() -> None:
    text = PSP + "r-1,t-1,x,2026-11-22,D\n,t-1,5,2026-13-01,D\nr-3,t-1,0,2026-11-22,D\nr-4,t-1\n"
    with pytest.raises(OutsideFileFaults) as caught:
        psp(text)
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [
        (2, "amount_rial"),
        (3, "psp_reference"),
        (3, "paid_day"),
        (4, "amount_rial"),
        (5, ""),
    ]
    assert str(caught.value).startswith("Nothing was imported: the file has 5 faults.")


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(OperatorError, match=r"no column 'psp_reference'.*it has: a, b"):
        psp("a,b\n1,2\n")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(OperatorError, match="it has: nothing"):
        bank("")


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        open_file(tmp_path / "none.csv")
    binary = tmp_path / "x.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorError, match="not utf-8 text"):
        psp_rows(open_file(binary), load_profile("psp-csv", "psp"))


def test_a_byte_order_mark_and_blank_lines_do_not_matter() -> None:
    assert len(psp("\ufeff" + PSP + "\nr-1,t-1,5,2026-11-22,D\n\n")) == 1


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'kind = "bank"\ndelimiter = ";"\n[columns]\nbooked_day = "Day"\namount = "Sum"\nreference = "Ref"\n'
    )
    (row,) = bank("Ref;Sum;Day\nD-1;5;2026-11-23\n", str(own))
    assert (row.reference, row.amount_rial, row.text) == ("D-1", 5, "")


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ('kind = "psp"\n', "is for 'psp' files"),
        ('kind = "bank"\n', r"\[columns\] maps"),
        ('kind = "bank"\n[columns]\nbooked_day = "d"\namount = "a"\n', "which heading is 'reference'"),
        ('kind = "bank"\n[columns]\nbooked_day = "d"\nreference = "r"\n', "either 'amount' or both"),
        (
            'kind = "bank"\nunit = "usd"\n[columns]\nbooked_day = "d"\namount = "a"\nreference = "r"\n',
            "rial or toman",
        ),
        ('kind = "bank"\nsize = 5\n', "unknown setting 'size'"),
        ("kind = ", "not a TOML file"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why(tmp_path: Path, document: str, what: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(document)
    with pytest.raises(OperatorError, match=what):
        load_profile(str(own), "bank")


def test_a_profile_that_is_not_there_names_the_others() -> None:
    with pytest.raises(OperatorError, match="use one of bank-csv, bank-csv-fa"):
        load_profile("nonsense", "bank")
