"""A card as an image file, ``NAME.card.json`` (mode 0600), shared by every process of the machine.

While a card is in a field its image is held by an exclusive lock, so no two readers hold one card; the
kernel drops the lock when the process dies. Every change the chip makes durable is written to the image,
atomically, before the reply that announces it. Cloning a card or restoring an older state is a plain copy
of the file while nobody holds it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hardware.emulator.card import VirtualCard
from hardware.emulator.kinds import ChipKind
from hardware.emulator.memory import BadDocument, Fields, card_document, read_card
from hardware.emulator.other_chips import OtherChip
from hardware.emulator.state import DELIVERED_KEY, CardKey, CardState
from hardware.emulator.transaction import DEFAULT_READING, TransactionMacReading

SUFFIX = ".card.json"
FORMAT = "mancard-virtual-card-1"
PRIVATE = 0o600


class ImageError(Exception):
    """An image cannot be used; the message is one sentence for the person at the reader."""


class ImageHeld(ImageError):
    """The card is in another reader's field."""


@dataclass(frozen=True, slots=True)
class CardImage:
    """What one image file holds: the card's memory, a name to show, and notes the card never looks at."""

    state: CardState
    label: str = ""
    notes: Mapping[str, object] = field(default_factory=dict[str, object])


def image_path(folder: Path, name: str) -> Path:
    """Where the image of ``name`` lives; a name that would leave the folder is an :class:`ImageError`."""
    if not name or name.startswith(".") or Path(name).name != name:
        raise ImageError(f"{name!r} is not a card name: use letters, digits, - and _")
    return folder / f"{name}{SUFFIX}"


def image_names(folder: Path) -> list[str]:
    """Names of all images of a folder, sorted; an absent folder has none."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"[!.]*{SUFFIX}"))


def read_image(path: Path) -> CardImage:
    """Read one image; :class:`ImageError` says what is wrong with it."""
    try:
        document: object = json.loads(path.read_bytes())
        fields = Fields(document, "the image")
        if fields.text("format") != FORMAT:
            raise BadDocument(f"its format is not {FORMAT!r}")
        return CardImage(read_card(fields.object("card")), fields.text("label"), fields.mapping("notes"))
    except FileNotFoundError:
        raise ImageError(f"there is no card {path.name.removesuffix(SUFFIX)!r} in {path.parent}") from None
    except OSError as error:
        raise ImageError(f"the card image {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        reason = str(error) if isinstance(error, BadDocument) else "it is not JSON"
        raise ImageError(f"{path} is not a card image: {reason}; restore it from a copy") from None


def write_image(path: Path, image: CardImage, *, durable: bool = False) -> None:
    """Replace the image in one step; ``durable`` also survives a power failure. Faults are OSError."""
    document = {
        "format": FORMAT,
        "label": image.label,
        "notes": dict(image.notes),
        "card": card_document(image.state),
    }
    data = json.dumps(document, ensure_ascii=False, indent=1).encode()
    replace_file(path, data, durable=durable)


def replace_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write beside ``path`` and rename over it, mode 0600: a reader sees the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        draft.replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: it lives in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_image(
    folder: Path,
    name: str,
    uid: bytes,
    *,
    label: str = "",
    notes: Mapping[str, object] | None = None,
    des_master: bool = False,
    kind: ChipKind = ChipKind.EV3,
) -> Path:
    """A new blank card; :class:`ImageError` when the name is taken or the UID is not 7 bytes (Classic: 4).

    Its master key is AES, all zero, or with ``des_master`` the DES one that chips are delivered with.
    """
    path = image_path(folder, name)
    if len(uid) != kind.uid_bytes:
        raise ImageError(f"a card's UID has {kind.uid_bytes} bytes, not {len(uid)}")
    if des_master and not kind.is_desfire:
        raise ImageError(f"a chip of the kind {kind.value!r} has no DES master key: leave that out")
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise ImageError(f"there is already a card {name!r} in {folder}: choose another name")
    try:
        state = CardState(uid, DELIVERED_KEY if des_master else CardKey(), kind=kind)
        write_image(path, CardImage(state, label or name, notes or {}))
    except OSError as error:
        raise ImageError(f"the card image {path} cannot be written: {error.strerror}") from None
    return path


def copy_image(folder: Path, source: str, target: str) -> Path:
    """Make ``target`` the card that ``source`` is now: a clone, or with an earlier copy as source, a restore.

    Label and notes come along. :class:`ImageHeld` while either lies in a field, else :class:`ImageError`.
    """
    if source == target:
        raise ImageError(f"the card {source!r} cannot be copied onto itself: choose another name")
    path = image_path(folder, target)
    held = hold_image(folder, source)
    try:
        lock = _lock(path)
        try:
            write_image(path, held.image)
        finally:
            os.close(lock)
    except OSError as error:
        raise ImageError(f"the card image {path} cannot be written: {error.strerror}") from None
    finally:
        held.release()
    return path


class HeldImage:
    """A card taken out of its file and into a field; nobody else can take it until :meth:`release`."""

    def __init__(
        self, path: Path, image: CardImage, card: VirtualCard | OtherChip, let_go: Callable[[], None]
    ) -> None:
        self.path = path
        self.image = image
        self.card = card
        self._let_go = let_go

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(SUFFIX)

    def release(self) -> None:
        """Power off and give the image back; a second call does nothing."""
        self.card.power(False)
        self._let_go()


def hold_image(
    folder: Path,
    name: str,
    *,
    reading: TransactionMacReading = DEFAULT_READING,
    durable: bool = False,
    frame_bytes: int | None = None,
) -> HeldImage:
    """Take the card ``name``: :class:`ImageHeld` when another reader has it, else :class:`ImageError`.

    With ``durable`` what the card has stored survives a power failure, not only the end of the process.
    """
    path = image_path(folder, name)
    read_image(path)  # An unknown card must not leave a lock file behind.
    lock = _lock(path)
    try:
        image = read_image(path)
    except ImageError:
        os.close(lock)
        raise

    def save(state: CardState) -> None:
        write_image(path, replace(image, state=state), durable=durable)

    held_open = [lock]

    def let_go() -> None:
        while held_open:
            os.close(held_open.pop())

    card: VirtualCard | OtherChip = OtherChip(image.state)
    if image.state.kind.is_desfire:
        card = VirtualCard(image.state, save, reading=reading, frame_bytes=frame_bytes)
    return HeldImage(path, image, card, let_go)


def _lock(path: Path) -> int:
    """An exclusive lock on a file beside the image: the image itself is replaced at every commit."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        name = path.name.removesuffix(SUFFIX)
        raise ImageHeld(
            f"the card {name!r} is in the field of another reader: remove it there first"
        ) from None
    return descriptor
