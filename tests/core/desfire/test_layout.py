"""The card's numbers, and that docs/card-layout.md gives the same ones."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from fare.core import card_record, entitlement
from fare.core.desfire import layout
from fare.core.desfire.transaction_mac import TMC_SIZE, TMV_SIZE
from fare.core.errors import MalformedDocument


def test_rights_are_the_tables_as_stored_on_the_card() -> None:
    assert layout.ENTITLEMENT_RIGHTS.hex() == "2f11"
    assert layout.VALUE_RIGHTS.hex() == "ff11"
    assert layout.RECORD_RIGHTS.hex() == "ff11"
    assert layout.PROOF_RIGHTS.hex() == "ff1f"


def test_no_file_has_a_free_right() -> None:
    # A free right (E) would force plain mode and open Debit to anyone.
    for rights in (
        layout.ENTITLEMENT_RIGHTS, layout.VALUE_RIGHTS, layout.RECORD_RIGHTS, layout.PROOF_RIGHTS,
    ):  # fmt: skip
        assert "e" not in rights.hex()


@pytest.mark.parametrize(
    ("spent", "value"), [(0, 2**31 - 1), (1, 2**31 - 2), (2**31, -1), (2**32 - 1, -(2**31))]
)
def test_spent_is_what_the_value_lacks_to_its_upper_limit(spent: int, value: int) -> None:
    assert layout.value_from_spent(spent) == value
    assert layout.spent_from_value(value) == spent


@pytest.mark.parametrize("spent", [-1, 2**32])
def test_a_card_cannot_have_spent_beyond_its_limits(spent: int) -> None:
    with pytest.raises(ValueError, match="cannot have spent"):
        layout.value_from_spent(spent)


DOCUMENT = (Path(__file__).parents[3] / "docs" / "card-layout.md").read_text(encoding="utf-8")


def tables() -> list[list[list[str]]]:
    """Every table of docs/card-layout.md as rows of cells, its head first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in DOCUMENT.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
        inside = True
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if set("".join(cells)) != {"-"}:
            found[-1].append(cells)
    return found


def table(*head: str) -> list[list[str]]:
    """The rows of the one table that begins with these columns."""
    (rows,) = [table[1:] for table in tables() if tuple(table[0][: len(head)]) == head]
    return rows


def spans(*head: str) -> list[tuple[int, int]]:
    """Offset and size of each row; they must follow one another without a gap."""
    rows = [(int(offset), int(size)) for offset, size, *_ in table(*head)]
    at = 0
    for offset, size in rows:
        assert offset == at
        at += size
    return rows


def sizes_of(packed: str) -> list[int]:
    """The size of each field of a struct format without padding between."""
    return [
        int(count) if kind in "sx" and count else struct.calcsize("<" + kind)
        for count, kind in re.findall(r"(\d*)([a-zA-Z])", packed)
    ]


def test_the_page_gives_each_file_as_the_code_makes_it() -> None:
    rows = {int(row[0], 16): row for row in table("file", "type", "size")}
    rights = {
        layout.ENTITLEMENT_FILE: layout.ENTITLEMENT_RIGHTS,
        layout.VALUE_FILE: layout.VALUE_RIGHTS,
        layout.RECORD_FILE: layout.RECORD_RIGHTS,
        layout.PROOF_FILE: layout.PROOF_RIGHTS,
    }
    assert rows.keys() == rights.keys()
    for file_no, row in rows.items():
        read, write, read_write, change = (int(nibble, 16) for nibble in row[4:8])
        assert layout.access_rights(read, write, read_write, change) == rights[file_no]
        assert row[8] == rights[file_no].hex().upper()
    assert rows[layout.ENTITLEMENT_FILE][2] == str(layout.ENTITLEMENT_SIZE)
    assert rows[layout.RECORD_FILE][2] == f"{layout.MAX_RECORDS} × {layout.RECORD_SIZE}"
    assert rows[layout.PROOF_FILE][2] == str(layout.PROOF_SIZE)
    limits = [int(limit.replace("−", "-")) for limit in rows[layout.VALUE_FILE][2].split(" … ")]
    assert limits == [layout.VALUE_LOWER_LIMIT, layout.VALUE_UPPER_LIMIT]


def test_the_page_gives_the_numbers_of_the_value_file_and_the_keys() -> None:
    value = {row[0]: row[1].replace("−", "-") for row in table("what", "value")}
    assert int(value["lower limit"]) == layout.VALUE_LOWER_LIMIT
    assert int(value["upper limit"]) == layout.VALUE_UPPER_LIMIT
    assert int(value["value on a fresh card"]) == layout.value_from_spent(0)
    assert value["options"].startswith(f"{layout.VALUE_OPTIONS:02X}")
    keys = {row[1].split()[0]: row[0] for row in table("no", "key")}
    numbers = (layout.ISSUER_KEY, layout.VALIDATOR_KEY, layout.LOAD_KEY)
    assert [int(keys[name]) for name in ("k0", "k1", "k2")] == list(numbers)
    assert len(numbers) == layout.NUMBER_OF_KEYS
    assert f"AID `{layout.AID.hex(' ').upper()}`" in DOCUMENT
    assert f"Key settings `{layout.APPLICATION_KEY_SETTINGS:02X}`" in DOCUMENT
    assert layout.PICC_KEY_SETTINGS == layout.APPLICATION_KEY_SETTINGS


def test_the_page_gives_the_entitlement_as_the_code_packs_it() -> None:
    packed = sizes_of(entitlement._LAYOUT.format)  # pyright: ignore[reportPrivateUsage]
    rows = spans("offset", "size", "field of the entitlement")
    assert [size for _, size in rows] == [*packed, entitlement.SIZE - entitlement.SIGNED_SIZE]
    assert sum(rows[-1]) == layout.ENTITLEMENT_SIZE
    passes = spans("offset", "size", "field of a pass")
    assert [size for _, size in passes] == sizes_of(entitlement._PASS.format)  # pyright: ignore[reportPrivateUsage]


def test_the_page_gives_the_record_as_the_code_packs_it() -> None:
    packed = sizes_of(card_record._LAYOUT.format)  # pyright: ignore[reportPrivateUsage]
    rows = spans("offset", "size", "field of a record")
    assert [size for _, size in rows] == packed
    assert sum(rows[-1]) == layout.RECORD_SIZE
    masks = {row[2]: int(row[1], 16) for row in table("bits of byte 0", "mask")}
    plain = card_record.CardRecord(1, 2, 3, 4, 5, 6, 7, 8)
    assert plain.encode()[0] & masks["layout version, 1 on this page"] == 0x10
    assert plain.encode()[0] & ~masks["layout version, 1 on this page"] == 0
    assert replace(plain, blocked=True).encode()[0] & 0x0F == masks["blocked"]
    assert replace(plain, on_pass=True).encode()[0] & 0x0F == masks["ridden on a pass"]
    alighting = masks["alighting: the tap ended a ride and began none"]
    assert replace(plain, alighting=True).encode()[0] & 0x0F == alighting
    spare = bytes([plain.encode()[0] | masks["zero"]]) + plain.encode()[1:]
    with pytest.raises(MalformedDocument):
        card_record.decode(spare)


def test_the_page_gives_the_proof_as_the_code_reads_it() -> None:
    assert spans("offset", "size", "field of the proof") == [(0, TMC_SIZE), (TMC_SIZE, TMV_SIZE)]
    assert TMC_SIZE + TMV_SIZE == layout.PROOF_SIZE
