"""Card images: what a file keeps, who may hold it, and what survives a killed process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from hardware.emulator.field import TrayError
from hardware.emulator.image import (
    ImageError,
    ImageHeld,
    copy_image,
    create_image,
    hold_image,
    image_names,
    image_path,
    read_image,
    write_image,
)
from hardware.emulator.memory import Fields, card_document, read_card
from hardware.emulator.reader import InProcessReader
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import UPPER, Terminal

ROOT = Path(__file__).parents[3]


def prepared(folder: Path, name: str = "one") -> None:
    held = hold_image(folder, name)
    Terminal(held.card.transmit).prepare()
    held.release()


def spent(folder: Path, name: str = "one") -> int:
    held = hold_image(folder, name)
    terminal = Terminal(held.card.transmit)
    terminal.open()
    value = UPPER - terminal.value()
    held.release()
    return value


def test_every_kind_of_memory_survives_the_document(fare_card: tuple[VirtualCard, Terminal]) -> None:
    card, terminal = fare_card
    terminal.tap(10, b"S" * 32)
    document = json.loads(json.dumps(card_document(card.state)))
    assert read_card(Fields(document, "the card")) == card.state


def test_a_card_goes_on_where_it_was(folder: Path) -> None:
    prepared(folder)
    held = hold_image(folder, "one")
    assert Terminal(held.card.transmit).tap(25, b"S" * 32)[0] == 2
    held.release()
    assert spent(folder) == 25
    image = read_image(image_path(folder, "one"))
    assert (image.state.uid, image.label) == (UID, "کارت ۱ – بزرگسال")


def test_a_commit_is_in_the_file_before_the_reply(folder: Path) -> None:
    prepared(folder)
    held = hold_image(folder, "one")
    terminal = Terminal(held.card.transmit)
    terminal.open()
    before = image_path(folder, "one").read_bytes()
    terminal.debit(1)
    terminal.record(b"S" * 32)
    assert image_path(folder, "one").read_bytes() == before
    terminal.commit()
    assert read_image(image_path(folder, "one")).state == held.card.state
    held.release()


def test_the_files_are_private(folder: Path) -> None:
    prepared(folder)
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert not list(folder.glob("*.new"))


def test_one_card_is_in_one_field(folder: Path) -> None:
    held = hold_image(folder, "one")
    with pytest.raises(ImageHeld, match="remove it there first"):
        hold_image(folder, "one")
    hold_image(folder, "two").release()
    held.release()
    held.release()
    assert held.card.transmit(bytes.fromhex("FFCA000000")) == b""
    hold_image(folder, "one").release()


def test_a_restored_image_is_the_older_card(folder: Path) -> None:
    prepared(folder)
    shutil.copy(image_path(folder, "one"), folder / "copy")
    held = hold_image(folder, "one")
    Terminal(held.card.transmit).tap(25, b"S" * 32)
    held.release()
    shutil.copy(folder / "copy", image_path(folder, "one"))
    assert spent(folder) == 0


def test_a_copy_restores_an_older_card_and_never_one_that_lies_on_a_reader(folder: Path) -> None:
    prepared(folder)
    copy_image(folder, "one", "earlier")
    held = hold_image(folder, "one")
    assert Terminal(held.card.transmit).tap(25, b"S" * 32)[0] == 2
    for source, target in (("one", "two"), ("earlier", "one")):
        with pytest.raises(ImageHeld):
            copy_image(folder, source, target)
    held.release()
    assert spent(folder) == 25
    copy_image(folder, "earlier", "one")
    assert spent(folder) == 0
    assert read_image(image_path(folder, "one")).label == "کارت ۱ – بزرگسال"


def test_a_race_for_one_card_has_one_winner(folder: Path) -> None:
    """Many readers of one folder reach for the same card at the same moment, again and again."""
    readers = [InProcessReader(folder, f"door {number}") for number in range(8)]
    begin = threading.Barrier(len(readers))
    won: list[InProcessReader] = []
    lost: list[str] = []

    def reach(reader: InProcessReader) -> None:
        begin.wait()
        try:
            reader.place("one")
        except TrayError as error:
            lost.append(str(error))
        else:
            won.append(reader)

    for turn in range(1, 11):
        threads = [threading.Thread(target=reach, args=(reader,)) for reader in readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (turn, turn * (len(readers) - 1))
        assert [reader.placed for reader in readers].count("one") == 1
        won[-1].remove()
    assert all("field of another reader" in sentence for sentence in lost)


def test_a_durable_reader_syncs_the_image_and_its_folder_before_it_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "image")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    for durable in (False, True):
        reader = InProcessReader(folder, durable=durable)
        reader.place("one")
        link = reader.wait_for_card(1)
        assert link is not None
        assert link.transmit(b"\xca" + bytes((1, 1, durable)) + b"\x0f\x81") == b"\x00"
        assert synced == (["image", "folder"] if durable else [])
        reader.remove()


def test_notes_stay_when_the_card_changes(tmp_path: Path) -> None:
    path = create_image(tmp_path, "noted", UID, notes={"category": "student", "n": 3})
    prepared(tmp_path, "noted")
    image = read_image(path)
    assert (image.notes, image.label) == ({"category": "student", "n": 3}, "noted")


HOLDER = """
import sys
from pathlib import Path
from hardware.emulator.image import hold_image
held = hold_image(Path(sys.argv[1]), "one")
print("held", flush=True)
sys.stdin.read()
"""


def other_process(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_another_process_holds_the_card_until_it_dies(folder: Path) -> None:
    with other_process(HOLDER, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ImageHeld):
            hold_image(folder, "one")
        process.send_signal(signal.SIGKILL)
        process.wait()
    hold_image(folder, "one").release()


KILLED_AFTER_COMMIT = """
import sys
from pathlib import Path
from hardware.emulator.reader import InProcessReader
from tests.hardware.emulator.terminal import Terminal
reader = InProcessReader(Path(sys.argv[1]))
reader.place("one")
terminal = Terminal(reader.wait_for_card(5).transmit)
terminal.open()
terminal.debit(33)
terminal.record(b"S" * 32)
print("committing", flush=True)
terminal.commit()
print("never reached", flush=True)
"""


def test_a_process_killed_while_the_commit_reply_is_late_has_committed(folder: Path) -> None:
    prepared(folder)
    path = image_path(folder, "one")
    before = path.stat().st_ino
    arm_in_folder(folder, Fault(FaultKind.DELAY_REPLY, 0xC7, delay_ms=600_000))
    with other_process(KILLED_AFTER_COMMIT, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committing\n"
        while path.stat().st_ino == before:  # the image is replaced before the delay starts
            assert process.poll() is None
        process.kill()
        assert process.stdout.read() == ""
    assert spent(folder) == 33
    assert (folder / "faults.json").read_text() == "[]"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../one"])
def test_names_stay_in_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(ImageError, match="is not a card name"):
        hold_image(folder, name)


def test_an_unknown_card_leaves_no_lock_behind(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no card 'nobody'"):
        hold_image(tmp_path, "nobody")
    assert list(tmp_path.iterdir()) == []
    assert image_names(tmp_path / "absent") == []


def test_a_name_is_taken_once_and_a_uid_has_seven_bytes(folder: Path) -> None:
    with pytest.raises(ImageError, match="already a card 'one'"):
        create_image(folder, "one", UID)
    with pytest.raises(ImageError, match="7 bytes, not 3"):
        create_image(folder, "three", b"abc")


def broken(document: dict[str, object], at: str, value: object) -> dict[str, object]:
    copy = json.loads(json.dumps(document))
    target = copy
    *way, last = at.split("/")
    for step in way:
        target = target[int(step)] if isinstance(target, list) else target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return copy


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        ("format", "other", "format"),
        ("label", None, "no 'label'"),
        ("notes", [], "'notes' in the image is not an object"),
        ("card/uid", "04", "7 bytes"),
        ("card/uid", "zz", "hexadecimal"),
        ("card/uid", 4, "not a text"),
        ("card/picc_settings", True, "not a whole number"),
        ("card/format_disabled", 0, "not true or false"),
        ("card/applications/f54d43", "x", "not an object"),
        ("card/applications/zz", {}, "'zz' is not a name of 3 bytes"),
        ("card/applications/f54d43/files/", {}, "'' is not a name of 1 bytes"),
        ("card/applications/f54d43/key_sets", [], "no key set"),
        ("card/applications/f54d43/key_sets", 1, "not a list"),
        ("card/applications/f54d43/files/01/type", "odd", "not a file type"),
        ("card/applications/f54d43/files/01/comm", 2, "communication mode"),
        ("card/applications/f54d43/files/03/records", ["00"], "32 bytes"),
        ("card/applications/f54d43/files/03/records", [7], "not hexadecimal"),
        ("card/applications/f54d43/files/0f/tmv", "00", "8 bytes"),
    ],
)
def test_a_spoilt_image_is_named_in_one_sentence(folder: Path, at: str, value: object, reason: str) -> None:
    prepared(folder)
    path = image_path(folder, "one")
    path.write_text(json.dumps(broken(json.loads(path.read_bytes()), at, value)))
    with pytest.raises(ImageError, match=reason) as error:
        hold_image(folder, "one")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_file_that_is_no_image(folder: Path, content: bytes) -> None:
    path = image_path(folder, "one")
    path.write_bytes(content)
    with pytest.raises(ImageError, match="restore it from a copy"):
        hold_image(folder, "one")


def test_a_durable_write_and_an_unwritable_folder(folder: Path, tmp_path: Path) -> None:
    image = read_image(image_path(folder, "one"))
    write_image(image_path(folder, "one"), image, durable=True)
    assert read_image(image_path(folder, "one")) == image
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        write_image(tmp_path / "file" / "x.card.json", image)
    path = image_path(folder, "dir")
    path.mkdir()
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(path)
