"""Which scanners this machine seems to have, by the names that udev gives to devices. It opens none of them.

A model is known by a mark in its name, from `hardware/profiles/scanners/*.toml` (found through the
entry-point group of the reader profiles): what has no mark under /dev/input/by-id may be an ordinary
keyboard.

    model = "Zebra or Symbol"       a person's name for it
    marks = ["Symbol_Scanner"]      parts of its name under by-id
    usb_vendor = "05e0"
    serial_mode = "…"               how it is switched to USB serial mode, by the names in its maker's manual
    unconfirmed = ["serial_mode"]   fields that no public source confirms: the technician is told
    [sources]                       where each other field comes from
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from fare.core.errors import OperatorError

GROUP: Final = "mancard.reader_profiles"
DEVICES: Final = Path("/dev")
VIDEO_NAMES: Final = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class ScannerModel:
    """One maker's scanners; the module describes the fields."""

    model: str
    marks: tuple[str, ...]
    serial_mode: str = ""
    unconfirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenScanner:
    """A device that may be a scanner. `model` is empty for one that no profile knows."""

    address: str
    kind: str
    model: str = ""
    advice: str = ""


def load_models() -> tuple[ScannerModel, ...]:
    """All models. Raises OperatorError for a file that cannot be read."""
    folders = [cast("Callable[[], Path]", found.load())() / "scanners" for found in entry_points(group=GROUP)]
    return tuple(_read_model(path) for folder in folders for path in sorted(folder.glob("*.toml")))


def survey(
    models: Sequence[ScannerModel], devices: Path = DEVICES, video_names: Path = VIDEO_NAMES
) -> list[SeenScanner]:
    """What is plugged in now, serial scanners first, then keyboards, then cameras."""
    serial = sorted((devices / "serial" / "by-id").glob("*"))
    keyboards = sorted((devices / "input" / "by-id").glob("*-event-kbd"))
    return [
        *(_seen(f"serial:{path}", "a serial device", path.name, models) for path in serial),
        *(_seen(f"keyboard:{path}", "a keyboard", path.name, models) for path in keyboards),
        *(
            SeenScanner(f"camera:{path}", "a camera", _video_name(video_names / path.name / "name"))
            for path in sorted(devices.glob("video*"))
        ),
    ]


def _seen(address: str, kind: str, name: str, models: Sequence[ScannerModel]) -> SeenScanner:
    for known in models:
        if any(mark in name for mark in known.marks):
            return SeenScanner(address, f"a scanner as {kind}", known.model, _better(address, known))
    doubt = "a scanner, or the keyboard of a person" if address.startswith("keyboard:") else ""
    return SeenScanner(address, kind, "", doubt)


def _better(address: str, known: ScannerModel) -> str:
    if not address.startswith("keyboard:") or not known.serial_mode:
        return ""
    doubt = " (unconfirmed)" if "serial_mode" in known.unconfirmed else ""
    return f"serial mode is better: {known.serial_mode}{doubt}"


def _video_name(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _read_model(path: Path) -> ScannerModel:
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return ScannerModel(
            str(document["model"]),
            tuple(str(mark) for mark in document["marks"]),
            str(document.get("serial_mode", "")),
            tuple(str(name) for name in document.get("unconfirmed", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise OperatorError(f"The scanner profile {path} cannot be read ({fault}): correct it.") from fault
