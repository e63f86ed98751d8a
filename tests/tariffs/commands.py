"""Runs `mancard tariff …` in this process, as a person would; these commands need no database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fare.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tariff_command(capsys: pytest.CaptureFixture[str]) -> Run:
    """`tariff_command("quote", …)` gives (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["tariff", *map(str, arguments)])
        told = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, told.out, told.err

    return run
