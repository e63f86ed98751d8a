"""The kernel's calls for a camera: their numbers are those of its header, and a driver that answers them."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from readers.ports import ScannerFault
from readers.scanners.frames import Frame, UnreadablePicture
from readers.scanners.v4l2 import (
    BUFFER_BYTES,
    BUFFER_FLAGS_AT,
    BUFFER_LENGTH_AT,
    BUFFER_MEMORY_AT,
    BUFFER_OFFSET_AT,
    BUFFER_USED_AT,
    BUFFERS,
    CAN_CAPTURE_AND_STREAM,
    CAPABILITY_BYTES,
    CAPTURE,
    DEVICE_CAPS_AT,
    DQBUF,
    ENUM_FMT,
    FIELD_NONE,
    FLAG_ERROR,
    FMTDESC_BYTES,
    FMTDESC_FOURCC_AT,
    FORMAT_BYTES,
    MMAP,
    PIX_AT,
    QBUF,
    QUERYBUF,
    QUERYCAP,
    REQBUFS,
    REQBUFS_BYTES,
    REQBUFS_MEMORY_AT,
    S_FMT,
    STREAMON,
    V4l2Camera,
)

PAGE: Final = 4096

HEADER_PROGRAM = """
#include <linux/videodev2.h>
#include <stddef.h>
#include <stdio.h>
#define P(x) printf("%lu ", (unsigned long)(x));
int main(void) {{ {0} return 0; }}
"""


def test_the_kernels_numbers_are_those_of_its_header(tmp_path: Path) -> None:
    ours = {
        "VIDIOC_QUERYCAP": QUERYCAP,
        "VIDIOC_ENUM_FMT": ENUM_FMT,
        "VIDIOC_S_FMT": S_FMT,
        "VIDIOC_REQBUFS": REQBUFS,
        "VIDIOC_QUERYBUF": QUERYBUF,
        "VIDIOC_QBUF": QBUF,
        "VIDIOC_DQBUF": DQBUF,
        "VIDIOC_STREAMON": STREAMON,
        "sizeof(struct v4l2_capability)": CAPABILITY_BYTES,
        "sizeof(struct v4l2_fmtdesc)": FMTDESC_BYTES,
        "sizeof(struct v4l2_format)": FORMAT_BYTES,
        "sizeof(struct v4l2_requestbuffers)": REQBUFS_BYTES,
        "sizeof(struct v4l2_buffer)": BUFFER_BYTES,
        "offsetof(struct v4l2_capability, device_caps)": DEVICE_CAPS_AT,
        "offsetof(struct v4l2_fmtdesc, pixelformat)": FMTDESC_FOURCC_AT,
        "offsetof(struct v4l2_format, fmt.pix.width)": PIX_AT,
        "offsetof(struct v4l2_format, fmt.pix.bytesperline)": PIX_AT + 16,
        "offsetof(struct v4l2_requestbuffers, memory)": REQBUFS_MEMORY_AT,
        "offsetof(struct v4l2_buffer, bytesused)": BUFFER_USED_AT,
        "offsetof(struct v4l2_buffer, flags)": BUFFER_FLAGS_AT,
        "offsetof(struct v4l2_buffer, memory)": BUFFER_MEMORY_AT,
        "offsetof(struct v4l2_buffer, m.offset)": BUFFER_OFFSET_AT,
        "offsetof(struct v4l2_buffer, length)": BUFFER_LENGTH_AT,
        "V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING": CAN_CAPTURE_AND_STREAM,
        "V4L2_BUF_FLAG_ERROR": FLAG_ERROR,
        "V4L2_BUF_TYPE_VIDEO_CAPTURE": CAPTURE,
        "V4L2_MEMORY_MMAP": MMAP,
        "V4L2_FIELD_NONE": FIELD_NONE,
    }
    source = tmp_path / "numbers.c"
    source.write_text(HEADER_PROGRAM.format(" ".join(f"P({name})" for name in ours)))
    subprocess.run(["cc", source, "-o", tmp_path / "numbers"], check=True)
    told = subprocess.run([tmp_path / "numbers"], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(ours, map(int, told), strict=True)) == ours


# --- a driver that answers ---


class Driver:
    """What a camera's driver does with our calls; a file stands for its memory."""

    def __init__(self, folder: Path, fourccs: tuple[bytes, ...] = (b"MJPG", b"YUYV")) -> None:
        self.memory = folder / "memory"
        self.memory.write_bytes(bytes(BUFFERS * PAGE))
        self.fourccs = fourccs
        self.can = CAN_CAPTURE_AND_STREAM
        self.queued: list[int] = []
        self.filled: list[tuple[int, int, int]] = []
        self.handle = -1
        self.streams = self.gone = False

    def send(self, data: bytes, flags: int = 0) -> None:
        """Fill the next buffer."""
        index = self.queued.pop(0)
        with self.memory.open("r+b") as file:
            file.seek(index * PAGE)
            file.write(data)
        self.filled.append((index, len(data), flags))

    def select(
        self, handles: list[int], _writers: object, _faults: object, _wait_s: float
    ) -> tuple[Any, Any, Any]:
        return (handles if self.filled or self.gone else []), [], []

    def ioctl(self, handle: int, request: int, argument: Any) -> int:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        self.handle = handle
        answer = {
            QUERYCAP: self._capability,
            ENUM_FMT: self._describe,
            S_FMT: self._format,
            REQBUFS: lambda asked: None,
            QUERYBUF: self._place,
            QBUF: lambda asked: self.queued.append(struct.unpack_from("=I", asked)[0]),
            DQBUF: self._dequeue,
            STREAMON: self._start,
        }
        answer[request](argument)
        return 0

    def _capability(self, asked: bytearray) -> None:
        assert len(asked) == CAPABILITY_BYTES
        struct.pack_into("=I", asked, DEVICE_CAPS_AT, self.can)

    def _describe(self, asked: bytearray) -> None:
        index, kind = struct.unpack_from("=II", asked)
        if index >= len(self.fourccs):
            raise OSError(errno.EINVAL, "Invalid argument")
        assert kind == CAPTURE
        struct.pack_into("4s", asked, FMTDESC_FOURCC_AT, self.fourccs[index])

    def _format(self, asked: bytearray) -> None:
        _, _, fourcc = struct.unpack_from("=II4s", asked, PIX_AT)
        struct.pack_into("=II4sIII", asked, PIX_AT, 4, 2, fourcc, FIELD_NONE, 16, 32)  # smaller, and padded

    def _place(self, asked: bytearray) -> None:
        (index,) = struct.unpack_from("=I", asked)
        struct.pack_into("=I", asked, BUFFER_OFFSET_AT, index * PAGE)
        struct.pack_into("=I", asked, BUFFER_LENGTH_AT, PAGE)

    def _dequeue(self, asked: bytearray) -> None:
        if not self.filled:
            raise BlockingIOError(errno.EAGAIN, "Try again")
        index, used, flags = self.filled.pop(0)
        struct.pack_into("=I", asked, 0, index)
        struct.pack_into("=II", asked, BUFFER_USED_AT, used, flags)

    def _start(self, asked: bytes) -> None:
        assert asked == struct.pack("=i", CAPTURE)
        self.streams = True


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver(tmp_path)
    monkeypatch.setattr("readers.scanners.v4l2.fcntl.ioctl", made.ioctl)
    monkeypatch.setattr("readers.scanners.v4l2.select.select", made.select)
    return made


def yuyv(level: int) -> bytes:
    return bytes((level, 128)) * 4 + b"\xee" * 8 + bytes((level, 128)) * 4


def test_the_newest_frame_is_taken_and_every_buffer_goes_back(driver: Driver) -> None:
    camera = V4l2Camera(driver.memory)
    assert camera.next_frame(0) is None
    assert driver.streams
    assert sorted(driver.queued) == list(range(BUFFERS))
    for turn in range(4):
        for level in (10, 20, 30 + turn):
            driver.send(yuyv(level))
        assert camera.next_frame(0) == Frame(4, 2, bytes([30 + turn]) * 8)
        assert sorted(driver.queued) == list(range(BUFFERS))
    driver.send(b"half", FLAG_ERROR)
    assert camera.next_frame(0) is None
    driver.send(yuyv(1)[:-1])
    with pytest.raises(UnreadablePicture, match="cut short"):
        camera.next_frame(0)
    camera.close()
    camera.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(driver.handle)


def test_a_camera_that_is_pulled_out_comes_back(driver: Driver) -> None:
    camera = V4l2Camera(driver.memory)
    assert camera.next_frame(0) is None
    driver.gone = True
    with pytest.raises(ScannerFault, match=r"was lost \(No such device\): plug it in again"):
        camera.next_frame(0)
    driver.gone = False
    driver.queued.clear()
    assert camera.next_frame(0) is None
    driver.send(yuyv(7))
    assert camera.next_frame(0) == Frame(4, 2, bytes([7]) * 8)
    camera.close()


def test_what_is_no_camera_of_ours_is_one_sentence(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.fourccs = (b"H264",)
    with pytest.raises(ScannerFault, match="sends pictures in GREY, NV12"):
        V4l2Camera(driver.memory).next_frame(0)
    driver.can = 1
    with pytest.raises(ScannerFault, match="many cameras have two devices"):
        V4l2Camera(driver.memory).next_frame(0)
    driver.can, driver.fourccs = CAN_CAPTURE_AND_STREAM, (b"GREY",)
    monkeypatch.setattr("readers.scanners.v4l2.STILL_S", -1.0)
    with pytest.raises(ScannerFault, match="sends no picture"):
        V4l2Camera(driver.memory).next_frame(0)
