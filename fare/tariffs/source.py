"""Reads the files of a tariff folder or GTFS zip within limits; `open_tariff` makes a Tariff of them.

A folder is somebody's upload: no link, device or pipe is followed, no declared size is trusted, and nothing
is unpacked onto the disk.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Final

from fare.core.tariff.loading import TariffFault, TariffFaults, load_tariff
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.toml_text import MAX_BYTES as MAX_TOML_BYTES
from fare.core.tariff.model import Tariff

MAX_TOTAL_BYTES: Final = 64 << 20
"""Of all files together, unpacked."""
MAX_ZIP_BYTES: Final = 256 << 20
MAX_ZIP_MEMBERS: Final = 10_000

TARIFF_FILES: Final = (
    "mancard.toml", "fare_products.txt", "fare_leg_rules.txt", "fare_media.txt", "rider_categories.txt",
    "fare_leg_join_rules.txt", "fare_transfer_rules.txt", "timeframes.txt", "areas.txt", "networks.txt",
    "route_networks.txt", "agency.txt", "routes.txt", "calendar.txt", "calendar_dates.txt", "stop_areas.txt",
    "stops.txt",
)  # fmt: skip
COVERAGE_FILES: Final = ("trips.txt", "stop_times.txt")
"""Read only to find legs without a fare, and left out where they are too large."""

_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK: Final = 1 << 20
_OF_MACS: Final = "__MACOSX/"
_TOO_LARGE_MEND: Final = say("leave out what the tariff does not need")


def open_tariff(path: Path, version: int = 0, *, unfinished: bool = False) -> Tariff:
    """The tariff of a folder or zip. Raises TariffFaults that lists all that is wrong with it.

    `unfinished`: it may leave legs without a fare, as one may that is only tried.
    """
    loaded = load_tariff(read_tariff_files(path), version, unfinished=unfinished)
    if loaded.tariff is None:
        raise TariffFaults(loaded.faults)
    return loaded.tariff


def read_tariff_files(path: Path) -> dict[str, bytes]:
    """The contents of the files that a tariff needs, by name. Raises TariffFaults."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as fault:
        raise _refused(
            path.name or str(path), say("there is no such folder or zip file"), say("give the path of one")
        ) from fault
    try:
        if stat.S_ISDIR(mode):
            return _from_folder(path)
        if stat.S_ISREG(mode):
            if path.stat().st_size > MAX_ZIP_BYTES:
                raise _refused(
                    path.name,
                    say("the zip is larger than {mib} MiB", mib=MAX_ZIP_BYTES >> 20),
                    _TOO_LARGE_MEND,
                )
            with path.open("rb") as opened:
                return _from_zip(path.name, opened)
    except OSError as fault:
        problem = say("it cannot be read ({detail})", detail=fault.strerror or str(fault))
        raise _refused(path.name, problem, say("check that you may read it")) from fault
    raise _refused(
        path.name, say("it is neither a folder nor a file"), say("give the path of a tariff folder or zip")
    )


def read_tariff_zip(content: bytes, name: str = "") -> dict[str, bytes]:
    """The same of a zip in memory. Raises TariffFaults."""
    return _from_zip(name or say("the upload"), io.BytesIO(content))


def _from_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    faults: list[TariffFault] = []
    left = MAX_TOTAL_BYTES
    for name in (*TARIFF_FILES, *COVERAGE_FILES):
        path = folder / name
        try:
            # O_NONBLOCK: opening a pipe must not wait for whoever writes into it.
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as fault:
            linked = path.is_symlink()
            problem = (
                say("it is a link")
                if linked
                else say("it cannot be read ({detail})", detail=str(fault.strerror))
            )
            faults.append(TariffFault(name, None, "", problem, say("put the file itself into the folder")))
            continue
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            problem = say("it is no ordinary file")
            faults.append(TariffFault(name, None, "", problem, say("put the file itself into the folder")))
            continue
        with os.fdopen(opened, "rb") as file:
            content = _read(file, name, left, faults)
        if content is not None:
            files[name] = content
            left -= len(content)
    if faults:
        raise TariffFaults(faults)
    return files


def _from_zip(name: str, opened: IO[bytes]) -> dict[str, bytes]:
    broken = say("it is not a readable zip file"), say("give a tariff folder, or export the zip again")
    try:
        with zipfile.ZipFile(opened) as archive:
            if len(archive.infolist()) > MAX_ZIP_MEMBERS:
                raise _refused(
                    name, say("the zip holds more than {most:,} files", most=MAX_ZIP_MEMBERS), _TOO_LARGE_MEND
                )
            return _members(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as fault:
        raise _refused(name, *broken) from fault


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Files at the top, or all in the zip's only folder. Paths that lead elsewhere are never asked for."""
    faults: list[TariffFault] = []
    found: dict[str, zipfile.ZipInfo] = {}
    prefix = _only_folder(archive)
    for info in archive.infolist():
        name = info.filename.removeprefix(prefix)
        if name not in TARIFF_FILES and name not in COVERAGE_FILES:
            continue
        if name in found:
            faults.append(
                TariffFault(name, None, "", say("the zip holds it twice"), say("keep one of the two"))
            )
        found[name] = info
    files: dict[str, bytes] = {}
    left = MAX_TOTAL_BYTES
    for name in (*TARIFF_FILES, *COVERAGE_FILES):
        info = found.get(name)
        if info is None:
            continue
        if info.flag_bits & 0x1:
            faults.append(
                TariffFault(name, None, "", say("it is encrypted"), say("make the zip without a password"))
            )
            continue
        if info.compress_type not in _PACKED:
            # LZMA lets a file say how much memory its reader takes, and packs what no database packs again.
            faults.append(
                TariffFault(
                    name,
                    None,
                    "",
                    say("it is packed in a way that is not read here"),
                    say("make the zip with the usual compression (deflate)"),
                )
            )
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            faults.append(
                TariffFault(name, None, "", say("it is a link"), say("put the file itself into the zip"))
            )
            continue
        with archive.open(info) as member:
            content = _read(member, name, left, faults)
        if content is not None:
            files[name] = content
            left -= len(content)
    if faults:
        raise TariffFaults(faults)
    if not files:
        raise _refused(
            PurePosixPath(archive.filename).name if archive.filename else say("the zip"),
            say("the zip holds no file of a tariff"),
            say("zip the files themselves, or the one folder that holds them"),
        )
    return files


def _only_folder(archive: zipfile.ZipFile) -> str:
    members = (info.filename for info in archive.infolist() if not info.is_dir())
    names = [name for name in members if not name.startswith(_OF_MACS)]
    tops = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    if len(tops) == 1 and all("/" in name for name in names):
        return f"{tops.pop()}/"
    return ""


def _read(file: IO[bytes], name: str, left: int, faults: list[TariffFault]) -> bytes | None:
    """All of a file, counted while it is read. Beyond `left` None, and a fault unless for coverage alone."""
    most = min(left, MAX_TOML_BYTES + 1) if name.endswith(".toml") else left
    buffer = bytearray()
    while chunk := file.read(min(_CHUNK, most + 1 - len(buffer))):
        buffer += chunk
        if len(buffer) > most:
            break
    if len(buffer) <= most:
        return bytes(buffer)
    if name not in COVERAGE_FILES:
        size = MAX_TOML_BYTES if name.endswith(".toml") else MAX_TOTAL_BYTES
        problem = (
            say("the files together are larger than {mib} MiB", mib=size >> 20)
            if size > _CHUNK
            else say("the file is larger than 1 MiB")
        )
        faults.append(TariffFault(name, None, "", problem, _TOO_LARGE_MEND))
    return None


def _refused(file: str, problem: str, mend: str) -> TariffFaults:
    return TariffFaults([TariffFault(file, None, "", problem, mend)])
