"""A camera of Linux (V4L2) as a source of frames, by the kernel's own calls. It sets size and format and
nothing else.

Structures and numbers are those of <linux/videodev2.h> for 64-bit machines (a test compares them with the
header); each is written at its offset into zeroed bytes. The public libraries for this are under the GPL.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import select
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from readers.ports import ScannerFault
from readers.scanners.frames import FOURCCS, Frame, grey_frame

WIDTH, HEIGHT = 1280, 720
BUFFERS: Final = 3
STILL_S: Final = 5.0
"""A camera that sends nothing for so long is opened anew."""

QUERYCAP: Final = 0x80685600
ENUM_FMT: Final = 0xC0405602
S_FMT: Final = 0xC0D05605
REQBUFS: Final = 0xC0145608
QUERYBUF: Final = 0xC0585609
QBUF: Final = 0xC058560F
DQBUF: Final = 0xC0585611
STREAMON: Final = 0x40045612
CAPABILITY_BYTES, FMTDESC_BYTES, FORMAT_BYTES, REQBUFS_BYTES, BUFFER_BYTES = 104, 64, 208, 20, 88
DEVICE_CAPS_AT: Final = 88
FMTDESC_FOURCC_AT: Final = 44
PIX_AT: Final = 8  # width, height, fourcc, field, bytesperline, sizeimage: six words
REQBUFS_MEMORY_AT: Final = 8
BUFFER_USED_AT, BUFFER_FLAGS_AT, BUFFER_MEMORY_AT, BUFFER_OFFSET_AT, BUFFER_LENGTH_AT = 8, 12, 60, 64, 72
CAPTURE, MMAP, FIELD_NONE = 1, 1, 1
CAN_CAPTURE_AND_STREAM: Final = 0x0400_0001
FLAG_ERROR: Final = 0x40


@dataclass(slots=True)
class _Stream:
    """A camera that sends."""

    handle: int
    fourcc: str
    width: int
    height: int
    row_bytes: int
    buffers: list[mmap.mmap] = field(default_factory=list[mmap.mmap])


class V4l2Camera:
    """See the FrameSource port."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: _Stream | None = None
        self._heard_s = 0.0

    def next_frame(self, timeout_s: float) -> Frame | None:
        """The newest frame: older ones that wait in the kernel are passed over."""
        stream = self._opened()
        try:
            ready, _, _ = select.select([stream.handle], [], [], timeout_s)
            newest: bytes | None = None
            for _ in range(BUFFERS if ready else 0):
                data = _dequeue(stream)
                if data is None:
                    break
                newest = data or newest
        except OSError as fault:
            self.close()
            raise ScannerFault(
                f"The camera {self._path} was lost ({fault.strerror}): plug it in again, or look at its "
                "cable."
            ) from fault
        if ready:
            self._heard_s = time.monotonic()
        elif time.monotonic() - self._heard_s > STILL_S:
            self.close()
            raise ScannerFault(f"The camera {self._path} sends no picture: plug it out and in again.")
        if newest is None:
            return None
        return grey_frame(stream.fourcc, stream.width, stream.height, stream.row_bytes, newest)

    def close(self) -> None:
        """See the port."""
        stream, self._stream = self._stream, None
        if stream is not None:
            _let_go(stream)

    def _opened(self) -> _Stream:
        if self._stream is None:
            if struct.calcsize("P") != 8:
                raise ScannerFault(
                    "Cameras need a 64-bit system: use a USB scanner, or install a 64-bit system."
                )
            try:
                self._stream = _start(self._path)
            except FileNotFoundError as fault:
                raise ScannerFault(
                    f"There is no camera {self._path}: plug it in, or give another --scanner."
                ) from fault
            except PermissionError as fault:
                raise ScannerFault(
                    f"The camera {self._path} may not be opened: add this account to the group video."
                ) from fault
            except OSError as fault:
                raise ScannerFault(_why_not(self._path, fault)) from fault
            self._heard_s = time.monotonic()
        return self._stream


def _why_not(path: Path, fault: OSError) -> str:
    if fault.errno == errno.EBUSY:
        return f"The camera {path} is in use: stop the program that holds it."
    if fault.errno in {errno.ENOTTY, errno.EINVAL, errno.ENODATA}:
        return (
            f"{path} is no camera that sends pictures in {', '.join(FOURCCS)}: give another --scanner "
            "(many cameras have two devices, and the first one sends)."
        )
    return f"The camera {path} cannot be opened ({fault.strerror}): plug it out and in again."


def _start(path: Path) -> _Stream:
    """Open, choose a format, share buffers, stream. Raises OSError; what was opened is closed then."""
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = _Stream(handle, "", 0, 0, 0)
    try:
        capability = bytearray(CAPABILITY_BYTES)
        fcntl.ioctl(handle, QUERYCAP, capability)
        (can,) = struct.unpack_from("=I", capability, DEVICE_CAPS_AT)
        if can & CAN_CAPTURE_AND_STREAM != CAN_CAPTURE_AND_STREAM:
            raise OSError(errno.EINVAL, "it does not capture")
        _set_format(stream)
        _share_buffers(stream)
        fcntl.ioctl(handle, STREAMON, struct.pack("=i", CAPTURE))
    except BaseException:
        _let_go(stream)
        raise
    return stream


def _set_format(stream: _Stream) -> None:
    offered = _offered(stream.handle)
    fourcc = next((known for known in FOURCCS if known in offered), None)
    if fourcc is None:
        raise OSError(errno.ENODATA, "no format that can be read")
    wanted = bytearray(FORMAT_BYTES)
    struct.pack_into("=I", wanted, 0, CAPTURE)
    struct.pack_into("=II4sI", wanted, PIX_AT, WIDTH, HEIGHT, fourcc.encode("ascii"), FIELD_NONE)
    fcntl.ioctl(stream.handle, S_FMT, wanted)  # the driver writes what it really takes
    width, height, taken, _, row_bytes, _ = struct.unpack_from("=II4sIII", wanted, PIX_AT)
    stream.width, stream.height, stream.row_bytes = width, height, row_bytes
    stream.fourcc = taken.decode("ascii", "replace")
    if stream.fourcc not in FOURCCS:
        raise OSError(errno.ENODATA, "no format that can be read")


def _offered(handle: int) -> set[str]:
    found: set[str] = set()
    for index in range(64):
        described = bytearray(FMTDESC_BYTES)
        struct.pack_into("=II", described, 0, index, CAPTURE)
        try:
            fcntl.ioctl(handle, ENUM_FMT, described)
        except OSError as fault:
            if fault.errno == errno.EINVAL:
                break  # the end of the list
            raise
        found.add(described[FMTDESC_FOURCC_AT : FMTDESC_FOURCC_AT + 4].decode("ascii", "replace"))
    return found


def _share_buffers(stream: _Stream) -> None:
    request = bytearray(REQBUFS_BYTES)
    struct.pack_into("=II", request, 0, BUFFERS, CAPTURE)
    struct.pack_into("=I", request, REQBUFS_MEMORY_AT, MMAP)
    fcntl.ioctl(stream.handle, REQBUFS, request)
    (granted,) = struct.unpack_from("=I", request, 0)
    for index in range(granted):
        described = _buffer(index)
        fcntl.ioctl(stream.handle, QUERYBUF, described)
        (offset,) = struct.unpack_from("=I", described, BUFFER_OFFSET_AT)
        (length,) = struct.unpack_from("=I", described, BUFFER_LENGTH_AT)
        stream.buffers.append(mmap.mmap(stream.handle, length, prot=mmap.PROT_READ, offset=offset))
        fcntl.ioctl(stream.handle, QBUF, _buffer(index))


def _buffer(index: int) -> bytearray:
    described = bytearray(BUFFER_BYTES)
    struct.pack_into("=II", described, 0, index, CAPTURE)
    struct.pack_into("=I", described, BUFFER_MEMORY_AT, MMAP)
    return described


def _dequeue(stream: _Stream) -> bytes | None:
    """One frame's bytes; empty for one that the driver calls broken, None when none waits."""
    filled = _buffer(0)
    try:
        fcntl.ioctl(stream.handle, DQBUF, filled)
    except BlockingIOError:
        return None
    (index,) = struct.unpack_from("=I", filled, 0)
    used, flags = struct.unpack_from("=II", filled, BUFFER_USED_AT)
    data = b"" if flags & FLAG_ERROR else stream.buffers[index][:used]
    fcntl.ioctl(stream.handle, QBUF, _buffer(index))
    return data


def _let_go(stream: _Stream) -> None:
    for shared in stream.buffers:
        shared.close()
    with contextlib.suppress(OSError):  # a camera that is gone may refuse even this; closing ends the stream
        os.close(stream.handle)
