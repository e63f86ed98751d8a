"""The list of `make canaries` fits the code: a defence that moved is named where it stands now."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace

import pytest

from tests.attacks.canaries import ROOT, BadRemoval, Removal, read_removals, verdict, without

ATTACKS = ("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A15", "A16")


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_listed_defence_stands_where_the_list_says() -> None:
    removals = read_removals()
    for removal in removals:
        assert without(removal) != (ROOT / removal.file).read_text(encoding="utf-8")
        file, _, name = removal.test.partition("::")
        assert name in names_in(file), removal.test
    counted = Counter(removal.attack for removal in removals)
    assert sorted(counted) == sorted(ATTACKS)
    assert min(counted.values()) >= 2


def test_what_is_left_of_a_file_is_still_python() -> None:
    """A test that fails by a typing error would catch nothing."""
    for removal in read_removals():
        ast.parse(without(removal))


def test_a_line_that_is_gone_or_ambiguous_is_an_error() -> None:
    removal: Removal = read_removals()[0]
    for changed in (
        replace(removal, line="no such defence"),
        replace(removal, line="import"),
        replace(removal, file="fare/core/nowhere.py"),
    ):
        with pytest.raises(BadRemoval, match="knows its key"):
            without(changed)


def test_only_a_failing_test_catches_a_removal() -> None:
    assert [verdict(status) for status in (0, 1, 2, 4, 5)] == ["MISSED", "caught", *["BROKEN"] * 3]
