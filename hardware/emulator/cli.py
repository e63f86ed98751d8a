"""Commands for virtual cards: list them, make a blank one, put one on a virtual PC/SC reader, order a fault.

Never personalises a card: that is the issuer's work, over the same APDUs as for a real one.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from hardware.emulator.field import TrayError, tray_cards
from hardware.emulator.image import ImageError, copy_image, create_image
from hardware.emulator.kinds import ChipKind
from hardware.emulator.vpcd import DEFAULT_PORT, VpcdTray

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Virtual cards: image files that stand in for real ones."
)

Folder = Annotated[Path, typer.Argument(help="The folder of the card images.")]
NXP_UID_PREFIX = b"\x04"
MAX_NEW = 10_000


def _fail(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(2)


@app.command()
def cards(folder: Folder) -> None:
    """List the cards of a folder: name, UID, label."""
    found = tray_cards(folder)
    if not found:
        raise _fail(f"there is no card in {folder}: make one with `mancard emulator new {folder} NAME`")
    for card in found:
        typer.echo(f"{card.name}\t{card.uid_hex}\t{card.label}")


@app.command()
def new(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="The name of the image file.")],
    label: Annotated[str, typer.Option(help="What to show for it.")] = "",
    uid: Annotated[str, typer.Option(help="In hexadecimal; random when absent.")] = "",
    kind: Annotated[ChipKind, typer.Option(help="The kind of chip.")] = ChipKind.EV3,
    des: Annotated[bool, typer.Option("--des", help="A DES master key, as chips are delivered.")] = False,
    count: Annotated[
        int, typer.Option(min=1, max=MAX_NEW, help="So many of them: NAME-01, NAME-02 and so on.")
    ] = 1,
) -> None:
    """Make a blank card with a master key of zeros: AES, or DES as chips are delivered."""
    if count > 1 and uid:
        raise _fail("each card has a UID of its own: leave out --uid or --count")
    # Numbers of one length, so that a folder lists the cards in their order.
    names = [name] if count == 1 else [f"{name}-{n:0{len(str(count))}}" for n in range(1, count + 1)]
    for one in names:
        _new(folder, one, label, uid, kind, des=des)


def _new(folder: Path, name: str, label: str, uid: str, kind: ChipKind, *, des: bool) -> None:
    try:
        raw_uid = bytes.fromhex(uid) if uid else NXP_UID_PREFIX + secrets.token_bytes(kind.uid_bytes - 1)
        path = create_image(folder, name, raw_uid, label=label, des_master=des, kind=kind)
    except ImageError as error:
        raise _fail(str(error)) from None
    except ValueError:
        raise _fail(f"{uid!r} is not a UID: give {2 * kind.uid_bytes} hexadecimal digits") from None
    except OSError as error:
        raise _fail(f"the folder {folder} cannot be written: {error.strerror}") from None
    typer.echo(str(path))


@app.command()
def copy(
    folder: Folder,
    source: Annotated[str, typer.Argument(help="The card as it is now.")],
    target: Annotated[str, typer.Argument(help="The name it also gets; a card of that name is replaced.")],
) -> None:
    """Clone a card, or restore an older state of one from an earlier copy."""
    try:
        path = copy_image(folder, source, target)
    except ImageError as error:
        raise _fail(str(error)) from None
    except OSError as error:
        raise _fail(f"the folder {folder} cannot be written: {error.strerror}") from None
    typer.echo(str(path))


@app.command()
def serve(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="The card to place.")],
    host: Annotated[str, typer.Option(help="Where vpcd listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.")] = DEFAULT_PORT,
) -> None:
    """Put a card on the virtual PC/SC reader until interrupted."""
    tray = VpcdTray(folder, host, port)
    try:
        tray.place(name)
    except TrayError as error:
        raise _fail(str(error)) from None
    typer.echo(f"{name} is on the reader at {host}:{port}; interrupt to remove it")
    try:
        tray.wait()
    except KeyboardInterrupt:
        typer.echo(f"{name} removed")
    finally:
        tray.remove()


@app.command()
def fault(
    folder: Folder,
    kind: Annotated[FaultKind, typer.Argument(help="What happens.")],
    ins: Annotated[str, typer.Option(help="Instruction in hexadecimal, such as C7; any when absent.")] = "",
    nth: Annotated[int, typer.Option(min=1, help="Which APDU of that instruction.")] = 1,
    delay_ms: Annotated[int, typer.Option(min=0)] = 0,
    byte: Annotated[int, typer.Option(help="Which byte to corrupt, from the end when negative.")] = 0,
    mask: Annotated[int, typer.Option(min=1, max=255, help="What to XOR it with.")] = 0xFF,
    card: Annotated[str, typer.Option(help="Only for this card.")] = "",
    reader: Annotated[str, typer.Option(help="Only on this reader.")] = "",
    repeat: Annotated[bool, typer.Option("--repeat", help="At every such APDU, not at one.")] = False,
) -> None:
    """Order one fault for the next card that meets it in any reader of this folder."""
    try:
        instruction = int(ins, 16) if ins else None
    except ValueError:
        raise _fail(f"{ins!r} is not an instruction: give one byte in hexadecimal, such as C7") from None
    try:
        arm_in_folder(
            folder,
            Fault(
                kind,
                instruction,
                nth,
                delay_ms,
                byte,
                mask,
                card=card or None,
                reader=reader or None,
                repeat=repeat,
            ),
        )
    except OSError as error:
        raise _fail(f"the folder {folder} cannot be written: {error.strerror}") from None
