"""What the page's buttons do, and the document it shows. Plain functions on a validator, without any HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from fare.core.money import Locale
from fare.core.tap import ClockQuality
from readers.process import ValidatorProcess
from readers.web.words import shown_text, tariff_text

ANSWER_TIMEOUT_S: Final = 10.0


class NotPossible(Exception):
    """The button cannot do that now; the message is a sentence for the person who pressed it.

    `reason` names the page's own sentence for it, in the language of the page; "" where it has none.
    """

    def __init__(self, sentence: str, reason: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason


def state(process: ValidatorProcess, locale: Locale) -> dict[str, Any]:
    """Everything the page shows. Ages in seconds, None for never."""
    now_ms = process.clock.wall_ms()
    loaded = process.bundles.current
    here = None if loaded is None else loaded.here
    status = process.synchroniser.status
    showing = process.display.now()
    tray, phones = process.equipment.tray, process.equipment.phones
    confirmed_ms = status.bundle_confirmed_ms
    if loaded is not None and confirmed_ms is None:
        confirmed_ms = loaded.bundle.issued_at_s * 1000
    reason, detail = worst_problem(process)
    return {
        "device": process.kit.device,
        "line_name": "" if here is None else here.line_name,
        "vehicle": "" if here is None else here.vehicle,
        "reader": process.equipment.reader.name,
        "has_tray": tray is not None,
        "cards": [] if tray is None else [{"name": c.name, "label": c.label} for c in tray.cards()],
        "phones": [] if phones is None else [{"name": p.name, "label": p.label} for p in phones.phones()],
        "uplink_cut": process.uplink.is_cut,
        "unsent": process.journal.unsent_count(),
        "last_contact_s": _age_s(status.last_contact_ms, now_ms),
        "tariff": "" if loaded is None else tariff_text(loaded.bundle, now_ms // 1000, locale),
        "bundle_n": None if loaded is None else loaded.bundle.version.n,
        "bundle_age_s": _age_s(confirmed_ms, now_ms),
        "clock_synchronised": process.clock.quality() is ClockQuality.SYNCHRONISED,
        "problem": detail,
        "problem_reason": reason,
        "scanners": [
            {"name": name, "works": not problem} for name, problem in process.scanners.problems.items()
        ],
        "gateway": None if process.shared is None else process.shared.reached,
        "inspecting": process.inspection.is_on(),
        "only_inspects": process.inspection.always,
        "number": showing.number,
        "shown": None if showing.shown is None else shown_text(showing.shown, locale),
    }


def tap(process: ValidatorProcess, request: dict[str, Any]) -> None:
    """Lay a card on the reader, wait for the answer, take the card away."""
    tray = process.equipment.tray
    name = request.get("card")
    if tray is None or not isinstance(name, str) or name not in {card.name for card in tray.cards()}:
        raise NotPossible("There is no such card here: choose one of the list.")
    before = process.display.now().number
    try:
        tray.place(name)
    except Exception as fault:
        raise NotPossible(str(fault)) from fault
    try:
        answered = process.display.wait_after(before, ANSWER_TIMEOUT_S)
    finally:
        tray.remove()
    if answered is None:
        raise NotPossible(
            "The reader did not answer within 10 s: look at the reader, then try again.", "no_answer"
        )


def ticket(process: ValidatorProcess, request: dict[str, Any]) -> None:
    """Hold a phone, any text, or a picture of a code before the scanner."""
    text, picture = request.get("text"), request.get("picture")
    if isinstance(picture, str):
        text = _text_in(picture)
    if isinstance(text, str):
        process.scan(text.strip())
        return
    phones = process.equipment.phones
    name = request.get("phone")
    if phones is None or not isinstance(name, str):
        raise NotPossible("There is no such phone here: choose one of the list.")
    try:
        shown = phones.ticket_text(
            name, process.clock.wall_ms() // 1000, new_ride=request.get("new_ride") is True
        )
    except Exception as fault:
        raise NotPossible(str(fault)) from fault
    process.scan(shown)


def _text_in(picture: str) -> str:
    """The text of the only code in a PNG, JPEG or PPM file, given in base64."""
    # A bus whose scanner reads codes by itself needs no decoder.
    from readers.scanners.camera import texts_in  # noqa: PLC0415
    from readers.scanners.frames import UnreadablePicture, read_picture  # noqa: PLC0415

    try:
        texts = texts_in(read_picture(base64.b64decode(picture, validate=True)))
    except UnreadablePicture as fault:
        sentence = f"The picture cannot be used ({fault}): choose a photo or a screenshot."
        raise NotPossible(sentence, "no_picture") from fault
    except ValueError as fault:
        raise NotPossible("The picture did not arrive whole: choose it again.", "no_picture") from fault
    if len(set(texts)) != 1:
        found = "no code" if not texts else f"{len(set(texts))} codes"
        raise NotPossible(
            f"There is {found} in this picture: choose one that shows a single ticket.",
            "several_codes" if texts else "no_code",
        )
    return texts[0]


def inspect(process: ValidatorProcess, request: dict[str, Any]) -> None:
    """Tell an inspector who has paid, or sell rides again."""
    on = request.get("on")
    if not isinstance(on, bool):
        raise NotPossible("The switch is either on or off: open the page again.")
    if process.inspection.always and not on:
        raise NotPossible("This device only inspects: start it without --inspect to sell rides.")
    process.inspection.turn(on=on)


class ProblemKind(StrEnum):
    """Of what kind a problem is: the page's texts have a sentence for each, in both languages."""

    READER = "reader"
    KEYS = "keys"
    SCANNER = "scanner"
    GATEWAY = "gateway"
    UPLINK = "uplink"


def worst_problem(process: ValidatorProcess) -> tuple[str, str]:
    """The kind of the worst problem, and its detail for whoever repairs it; both empty if there is none."""
    found = (
        (ProblemKind.READER, process.reader_problem),
        (ProblemKind.KEYS, process.problem),
        (ProblemKind.SCANNER, process.scanner_problem),
        (ProblemKind.GATEWAY, _gateway_problem(process)),
        (ProblemKind.UPLINK, process.synchroniser.status.problem),
    )
    return next(((str(kind), detail) for kind, detail in found if detail), ("", ""))


def _gateway_problem(process: ValidatorProcess) -> str:
    problem = "" if process.shared is None else process.shared.problem
    return f"{problem[:1].upper()}{problem[1:]}." if problem else ""


def uplink(process: ValidatorProcess, request: dict[str, Any]) -> None:
    """Cut or restore the real uplink."""
    connected = request.get("connected")
    if not isinstance(connected, bool):
        raise NotPossible("The switch is either on or off: open the page again.")
    if connected:
        process.restore_uplink()
    else:
        process.cut_uplink()


ACTIONS: Final[Mapping[str, Callable[[ValidatorProcess, dict[str, Any]], None]]] = {
    "/bus/tap": tap,
    "/bus/ticket": ticket,
    "/bus/uplink": uplink,
    "/bus/inspect": inspect,
}


def _age_s(then_ms: int | None, now_ms: int) -> int | None:
    return None if then_ms is None else max(0, now_ms - then_ms) // 1000
