"""The commands for virtual cards, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hardware.emulator.cli import app
from hardware.emulator.field import tray_cards
from hardware.emulator.image import image_path, read_image
from hardware.emulator.kinds import ChipKind

run = CliRunner().invoke


def test_new_and_list(tmp_path: Path) -> None:
    made = run(app, ["new", str(tmp_path), "a", "--uid", "04010203040506", "--label", "کارت آزمایشی"])
    assert made.exit_code == 0
    assert run(app, ["new", str(tmp_path), "b"]).exit_code == 0
    lines = run(app, ["cards", str(tmp_path)]).stdout.splitlines()
    assert lines[0] == "a\t04010203040506\tکارت آزمایشی"
    assert lines[1].startswith("b\t04")


def test_many_are_numbered_in_their_order(tmp_path: Path) -> None:
    assert run(app, ["new", str(tmp_path), "blank", "--count", "12"]).exit_code == 0
    cards = tray_cards(tmp_path)
    assert [card.name for card in cards] == [f"blank-{number:02}" for number in range(1, 13)]
    assert len({card.uid_hex for card in cards}) == 12
    refused = run(app, ["new", str(tmp_path), "one", "--count", "2", "--uid", "04010203040506"])
    assert (refused.exit_code, len(tray_cards(tmp_path))) == (2, 12)


def test_other_kinds_and_a_card_as_delivered(tmp_path: Path) -> None:
    for kind in ChipKind:
        assert run(app, ["new", str(tmp_path), kind.value, "--kind", kind.value]).exit_code == 0
    assert run(app, ["new", str(tmp_path), "blank", "--des", "--kind", "ev2"]).exit_code == 0
    for card in tray_cards(tmp_path):
        state = read_image(image_path(tmp_path, card.name)).state
        assert state.kind.value == ("ev2" if card.name == "blank" else card.name)
        assert state.picc_key.des == (card.name == "blank")
        assert len(card.uid_hex) == 2 * state.kind.uid_bytes


def test_a_copy_is_a_clone_and_a_way_back(tmp_path: Path) -> None:
    run(app, ["new", str(tmp_path), "a", "--uid", "04010203040506"])
    assert run(app, ["copy", str(tmp_path), "a", "b"]).exit_code == 0
    assert read_image(image_path(tmp_path, "b")) == read_image(image_path(tmp_path, "a"))


def test_a_fault_is_ordered(tmp_path: Path) -> None:
    assert run(app, ["fault", str(tmp_path), "cut_after", "--ins", "C7", "--card", "a"]).exit_code == 0
    ordered = json.loads((tmp_path / "faults.json").read_text())
    assert ordered == [{"kind": "cut_after", "nth": 1, "ins": "C7", "card": "a"}]
    corrupt = ["corrupt_reply", "--nth", "4", "--byte", "-1", "--mask", "1", "--reader", "door", "--repeat"]
    assert run(app, ["fault", str(tmp_path), *corrupt]).exit_code == 0
    ordered = json.loads((tmp_path / "faults.json").read_text())
    assert ordered[1] == {
        "kind": "corrupt_reply",
        "nth": 4,
        "byte": -1,
        "mask": 1,
        "reader": "door",
        "repeat": True,
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cards", "{}/none"], "there is no card in"),
        (["new", "{}", "a", "--uid", "zz"], "give 14 hexadecimal digits"),
        (["new", "{}", "a", "--uid", "0102"], "7 bytes, not 2"),
        (["new", "{}", "../a"], "is not a card name"),
        (["new", "{}/file", "a"], "cannot be written"),
        (["new", "{}", "a", "--kind", "classic", "--uid", "04010203040506"], "4 bytes, not 7"),
        (["new", "{}", "a", "--kind", "classic", "--des"], "no DES master key"),
        (["copy", "{}", "nobody", "a"], "there is no card 'nobody'"),
        (["copy", "{}", "a", "a"], "cannot be copied onto itself"),
        (["serve", "{}", "nobody"], "there is no card 'nobody'"),
        (["fault", "{}", "cut_after", "--ins", "zz"], "one byte in hexadecimal"),
        (["fault", "{}/none", "cut_after"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    (tmp_path / "file").write_text("")
    done = run(app, [argument.format(tmp_path) for argument in arguments])
    assert done.exit_code == 2
    assert sentence in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_serving_without_pcscd(tmp_path: Path) -> None:
    run(app, ["new", str(tmp_path), "a"])
    done = run(app, ["serve", str(tmp_path), "a", "--port", "1"])
    assert done.exit_code == 2
    assert "start pcscd with vsmartcard-vpcd" in done.output
