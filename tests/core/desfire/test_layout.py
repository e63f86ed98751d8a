from __future__ import annotations

import pytest

from fare.core.desfire import layout


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
