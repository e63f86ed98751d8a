"""Cameras: pictures of every kind, a film in which a code comes and goes, a folder, the kernel's calls."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageFilter
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

from readers.ports import ScannerFault
from readers.scanners.camera import FRAMES_PER_S, MOST_CODES, CameraScanner, texts_in
from readers.scanners.folder import FolderFrames
from readers.scanners.frames import MOST_PIXELS, Frame, UnreadablePicture, grey_frame, read_picture
from readers.scanners.serving import Pace
from tests.readers.bus import NOW_S, Issuer


def drawn(text: str, box: int = 4) -> Image.Image:
    """A QR code at level M, as a page or a printer draws it."""
    code = QRCode(error_correction=ERROR_CORRECT_M, box_size=box)
    code.add_data(text)
    code.make()
    return code.make_image().get_image().convert("L")


def code_of(content: str | bytes, kind: zxingcpp.BarcodeFormat) -> Image.Image:
    """Any barcode, with a quiet zone."""
    image: Any = zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(content, kind), scale=4)
    height, width = image.shape
    picture = Image.new("L", (width + 80, height + 80), 255)
    picture.paste(Image.frombytes("L", (width, height), bytes(memoryview(image))), (40, 40))
    return picture


def png(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def frame_of(picture: Image.Image) -> Frame:
    return read_picture(png(picture))


def degraded(picture: Image.Image, draw: random.Random) -> Image.Image:
    """Turned, blurred, pale, grainy, and not in the middle: what a camera on a bus sees."""
    turned = picture.rotate(
        draw.uniform(-15, 15), expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC
    )
    seen = Image.new("L", (turned.width + 200, turned.height + 60), 255)
    seen.paste(turned, (draw.randrange(200), draw.randrange(60)))
    pale = seen.filter(ImageFilter.GaussianBlur(1.2)).point([90 + level * 3 // 10 for level in range(256)])
    return Image.blend(pale, Image.effect_noise(pale.size, 30), 0.12)


@pytest.fixture(scope="module")
def tickets() -> list[str]:
    issuer = Issuer()
    return [issuer.phone().ticket_text(NOW_S + n, 1 + n % 5) for n in range(12)]


def test_tickets_are_read_clean_and_degraded(tickets: list[str]) -> None:
    draw = random.Random(7)
    for kind in ("PNG", "JPEG", "PPM"):
        assert texts_in(read_picture(png(drawn(tickets[0]), kind))) == [tickets[0]]
    codes = {text: drawn(text, 5) for text in tickets}
    assert [texts_in(frame_of(code)) for code in codes.values()] == [[text] for text in tickets]
    hurt = [texts_in(frame_of(degraded(codes[text], draw))) == [text] for text in tickets for _ in range(2)]
    assert sum(hurt) >= 23
    upside_down = drawn(tickets[1]).rotate(180)
    inverted = Image.eval(drawn(tickets[1]), lambda level: 255 - level)
    assert texts_in(frame_of(upside_down)) == texts_in(frame_of(inverted)) == [tickets[1]]


def test_only_qr_codes_that_hold_text_are_read() -> None:
    assert texts_in(frame_of(drawn("WIFI:S:bus;T:nopass;;"))) == ["WIFI:S:bus;T:nopass;;"]
    assert texts_in(frame_of(drawn("سلام 🚌"))) == ["سلام 🚌"]
    for kind in (
        zxingcpp.BarcodeFormat.Aztec,
        zxingcpp.BarcodeFormat.DataMatrix,
        zxingcpp.BarcodeFormat.Code128,
    ):
        assert texts_in(frame_of(code_of("MC1:ABC", kind))) == []
    binary = code_of(bytes(range(200, 256)), zxingcpp.BarcodeFormat.QRCode)
    assert zxingcpp.read_barcodes(binary) != []
    assert texts_in(frame_of(binary)) == []


def test_a_picture_that_is_transparent_lies_on_white() -> None:
    code = drawn("MC1:ABC")
    clear = Image.new("RGBA", code.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=Image.eval(code, lambda level: 255 - level))
    assert texts_in(frame_of(clear)) == ["MC1:ABC"]


def test_what_is_no_picture_or_too_large_is_unreadable_and_nothing_else() -> None:
    draw = random.Random(3)
    whole = png(drawn("MC1:ABC"))
    for data in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        whole[: len(whole) // 2],
        b"P5 9999999999 1 255\n",
        b"GIF89a",
        os.urandom(999),
    ):
        with pytest.raises(UnreadablePicture):
            read_picture(data)
    for _ in range(300):
        hurt = bytearray(whole)
        for _ in range(draw.randrange(1, 5)):
            hurt[draw.randrange(len(hurt))] = draw.randrange(256)
        try:
            read_picture(bytes(hurt))
        except UnreadablePicture:
            continue
    for size in ((4001, 3000), (MOST_PIXELS + 1, 1), (20_000, 20_000)):
        head = f"P5 {size[0]} {size[1]} 255\n".encode()
        with pytest.raises(UnreadablePicture, match="too large"):
            read_picture(head)
    with pytest.raises(UnreadablePicture, match="too large"):
        grey_frame("GREY", 4001, 3000, 4001, b"")
    assert texts_in(Frame(4000, 3000, bytes(MOST_PIXELS))) == []


def test_the_grey_of_every_format_a_camera_sends() -> None:
    wanted = bytes(range(12))  # 4 x 3
    rows = [wanted[at : at + 4] for at in (0, 4, 8)]
    packed = b"".join(bytes((level, 128)) for level in wanted)
    turned = b"".join(bytes((128, level)) for level in wanted)
    padded = b"".join(row + b"\xee" * 4 for row in rows)
    wide = b"".join(bytes(part for level in row for part in (level, 128)) + b"\xee" * 8 for row in rows)
    for fourcc, row_bytes, data in (
        ("GREY", 4, wanted),
        ("GREY", 8, padded),
        ("GREY", 8, padded[:-4]),
        ("NV12", 4, wanted + b"\x80" * 6),
        ("YU12", 4, wanted + b"\x80" * 6),
        ("YUYV", 8, packed),
        ("YUYV", 16, wide),
        ("UYVY", 8, turned),
        ("GREY", 0, wanted),
    ):
        assert grey_frame(fourcc, 4, 3, row_bytes, data) == Frame(4, 3, wanted), (fourcc, row_bytes)
    with pytest.raises(UnreadablePicture, match="cut short"):
        grey_frame("YUYV", 4, 3, 8, packed[:-1])
    code = drawn("MC1:ABC")
    assert texts_in(grey_frame("MJPG", *code.size, 0, png(code, "JPEG"))) == ["MC1:ABC"]


# --- the loop ---


class Loop:
    """Frames of a camera with 30 frames a second and a clock of its own."""

    def __init__(self, frames: Sequence[Frame | UnreadablePicture], fps: int = 30) -> None:
        self.frames, self.fps = frames, fps
        self.now_s = 100.0
        self.looked = 0

    def clock(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def next_frame(self, timeout_s: float) -> Frame | None:
        number = int((self.now_s - 100) * self.fps + 1e-6)
        if number >= len(self.frames):
            raise ScannerFault("The film is over.")
        self.looked += 1
        self.now_s += 1 / self.fps
        frame = self.frames[number]
        if isinstance(frame, UnreadablePicture):
            raise frame
        return frame

    def close(self) -> None:
        """Nothing to let go."""


def presented(loop: Loop) -> list[tuple[str, float]]:
    """Texts and times at which they are presented to the validator."""
    scanner, pace = CameraScanner("camera:loop", loop, clock=loop.clock, wait=loop.wait), Pace()
    found: list[tuple[str, float]] = []
    while True:
        try:
            text = scanner.read(0.25)
        except ScannerFault:
            return found  # the film is over
        if text is not None and pace.admits(text, loop.now_s):
            found.append((text, round(loop.now_s - 100, 1)))


def test_a_code_that_appears_stays_leaves_and_comes_again() -> None:
    empty = Frame(320, 240, bytes([200]) * (320 * 240))
    code, other = frame_of(drawn("MC1:ABC")), frame_of(drawn("MC1:XYZ"))
    broken = UnreadablePicture("a torn frame")
    film = [empty] * 30 + [code, broken, code] * 50 + [empty] * 90 + [code] * 15 + [other] * 15 + [empty] * 3
    loop = Loop(film)
    found = presented(loop)
    assert [text for text, _ in found] == ["MC1:ABC"] * 3 + ["MC1:ABC", "MC1:XYZ"]
    starts = [at for _, at in found]
    assert starts[0] == pytest.approx(1.0, abs=0.2)  # it appears
    assert starts[1:3] == pytest.approx([3.1, 5.2], abs=0.4)  # it stays
    assert starts[3] == pytest.approx(9.0, abs=0.2)  # it comes again
    assert starts[4] == pytest.approx(9.5, abs=0.2)
    assert loop.looked <= len(film) / 30 * FRAMES_PER_S + 1


def test_a_slow_processor_rests_as_long_as_it_searched() -> None:
    loop = Loop([Frame(1, 1, b"\xff")] * 300)
    searched = 0

    def search(_frame: Frame) -> list[str]:
        nonlocal searched
        searched += 1
        loop.now_s += 0.4
        return []

    scanner = CameraScanner("camera:loop", loop, clock=loop.clock, wait=loop.wait, search=search)
    while loop.now_s < 109:
        assert scanner.read(0.25) is None
    assert 9 <= searched <= 12


def test_several_codes_in_one_frame_and_never_a_wall_of_them() -> None:
    wall = Image.new("L", (1000, 800), 255)
    code = [drawn(f"MC1:{n:02}", 3) for n in range(20)]
    for n, one in enumerate(code[:3]):
        wall.paste(one, (n * 120, 0))
    assert sorted(texts_in(frame_of(wall))) == ["MC1:00", "MC1:01", "MC1:02"]
    for n, one in enumerate(code):
        wall.paste(one, (n % 5 * 150, n // 5 * 150))
    assert len(texts_in(frame_of(wall))) == MOST_CODES


def test_a_program_that_searched_a_picture_ends_without_a_word() -> None:
    program = "from readers.scanners.camera import *; texts_in(Frame(9, 9, bytes(81)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unreadable_frame_is_counted() -> None:
    loop = Loop([UnreadablePicture("torn")] * 30)
    scanner = CameraScanner("camera:loop", loop, clock=loop.clock, wait=loop.wait)
    assert scanner.read(0.5) is None
    assert scanner.unreadable == loop.looked > 0
    assert scanner.read(0) is None


# --- a folder ---


def put(folder: Path, name: str, data: bytes) -> None:
    """Appears whole."""
    (folder / f".{name}").write_bytes(data)
    (folder / f".{name}").rename(folder / name)


def folder_texts(scanner: CameraScanner, count: int) -> list[str]:
    found: list[str] = []
    give_up_s = time.monotonic() + 20
    while len(found) < count and time.monotonic() < give_up_s:
        text = scanner.read(0.25)
        found += [] if text is None else [text]
    return found


def test_pictures_of_a_folder_are_read_once_each_as_they_appear(tmp_path: Path) -> None:
    put(tmp_path, "one.png", png(drawn("MC1:ONE")))
    put(tmp_path, "two.JPG", png(drawn("MC1:TWO"), "JPEG"))
    os.utime(tmp_path / "one.png", (1, 1))
    (tmp_path / "half.png.part").write_bytes(png(drawn("MC1:HALF")))
    (tmp_path / ".hidden.png").write_bytes(png(drawn("MC1:HIDDEN")))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("one.png")
    os.mkfifo(tmp_path / "pipe.png")
    scanner = CameraScanner("frames:test", FolderFrames(tmp_path))
    assert folder_texts(scanner, 2) == ["MC1:ONE", "MC1:TWO"]
    assert scanner.read(0.15) is None
    put(tmp_path, "three.ppm", png(drawn("MC1:THREE"), "PPM"))
    put(tmp_path, "torn.png", png(drawn("MC1:TORN"))[:200])
    put(tmp_path, "one.png", png(drawn("MC1:ONE AGAIN")))  # another picture of the same name
    assert sorted(folder_texts(scanner, 2)) == ["MC1:ONE AGAIN", "MC1:THREE"]
    assert scanner.read(0.25) is None
    assert scanner.unreadable == 1
    (tmp_path / "torn.png").write_bytes(
        png(drawn("MC1:TORN"))
    )  # who writes in place is read when it is whole
    assert folder_texts(scanner, 1) == ["MC1:TORN"]
