"""What can go wrong while speaking to a card, as one tree of named faults. Never about the reader.

Every message is a sentence that says what happened and what to do. A fault that is raised while a Commit was
under way says nothing about whether the card committed: the caller treats it as *unconfirmed*, whichever
fault it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from fare.core.desfire.opcodes import command_name


class CardFault(Exception):
    """Root of every fault a card conversation raises."""


class CardTorn(CardFault):
    """The card left the field: the answer had fewer than two bytes."""

    def __init__(self, ins: int) -> None:
        super().__init__(
            f"The card left the reader during {command_name(ins)}: hold it still and present it again."
        )


class WrongResponseMac(CardFault):
    """The answer's MAC is missing or wrong; the session is over."""

    def __init__(self, ins: int) -> None:
        super().__init__(
            f"The answer to {command_name(ins)} was altered on its way: present the card again, alone."
        )


class CardNotGenuine(CardFault):
    """The card could not prove that it knows the key it was authenticated with."""

    def __init__(self) -> None:
        super().__init__("The card could not prove that it knows its key: refuse it.")


class MalformedAnswer(CardFault):
    """The answer does not have the shape this command's answers have."""

    def __init__(self, ins: int, what: str) -> None:
        super().__init__(
            f"The answer to {command_name(ins)} is not understood ({what}): present the card again."
        )


class NotWrapped(MalformedAnswer):
    """The answer's status is not of the form 91 SS:

    the card does not speak DESFire, or the reader answered for it.
    """


class NotACardOfThisSystem(CardFault):
    """No Mancard application, or not a DESFire EV2/EV3 card at all."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"This is not a card of this system ({what}): present a Mancard card, or to issue one a fresh "
            "DESFire EV2 or EV3."
        )


class KeysOfAnotherGeneration(NotACardOfThisSystem):
    """The card's keys are of a generation that is not held here. `found` is its version, `held` those here.

    Nobody is to blame but whoever brings this device its keys: the card may well be genuine.
    """

    def __init__(self, found: int, held: Sequence[int]) -> None:
        self.found = found
        self.held = tuple(held)
        here = " and ".join(str(version) for version in self.held)
        CardFault.__init__(
            self,
            f"The card's keys are of generation {found}, those held here of {here}: bring this device the "
            "card keys of that generation.",
        )


class AlreadyPersonalised(CardFault):
    """The card carries another content under our keys; personalising it again would forge its history."""

    def __init__(self) -> None:
        super().__init__("This card was already issued: take a fresh card.")


class KeyNotTaken(CardFault):
    """The card does not use the key it was given: its change was lost or kept from it."""

    def __init__(self) -> None:
        super().__init__(
            "The card did not take its new key: lay it on the reader again, on another one if it repeats."
        )


class SessionOver(CardFault):
    """A command was asked of a session that has ended: after an error, a wrong MAC, a change of its key."""

    def __init__(self) -> None:
        super().__init__("The secure session with the card has ended: authenticate again.")


class CardAnswered(CardFault):
    """The card answered with an error status.

    `status` is the status byte, `command` the command's name, `advice` what to do. Subclasses name the
    statuses the application meets; any other status is raised as this class.
    """

    STATUS: ClassVar[int | None] = None
    MEANING: ClassVar[str] = "an error"
    ADVICE: ClassVar[str] = "present the card again; if it repeats, replace the card."

    def __init__(self, status: int, ins: int) -> None:
        self.status = status
        self.command = command_name(ins)
        self.advice = self.ADVICE
        super().__init__(
            f"The card answered {self.command} with {self.MEANING} ({status:02X}): {self.advice}"
        )


class NoChanges(CardAnswered):
    """0C: nothing was pending."""

    STATUS, MEANING, ADVICE = 0x0C, "'nothing to commit'", "start the tap again."


class OutOfMemory(CardAnswered):
    """0E: the card's memory is full."""

    STATUS, MEANING, ADVICE = 0x0E, "'out of memory'", "take a fresh card with at least 2 kB."


class IllegalCommand(CardAnswered):
    """1C: the card does not know the command."""

    STATUS, MEANING, ADVICE = 0x1C, "'illegal command'", "use a DESFire EV2 or EV3 card."


class IntegrityError(CardAnswered):
    """1E: the card found a wrong MAC, checksum or padding."""

    STATUS, MEANING, ADVICE = 0x1E, "'integrity error'", "present the card again, alone on the reader."


class NoSuchKey(CardAnswered):
    """40: no key has this number."""

    STATUS, MEANING, ADVICE = 0x40, "'no such key'", "check that the card was personalised with this version."


class LengthError(CardAnswered):
    """7E: the command has a wrong length."""

    STATUS, MEANING, ADVICE = (
        0x7E,
        "'wrong length'",
        "check that the card was personalised with this version.",
    )


class PermissionDenied(CardAnswered):
    """9D: the authenticated key may not do this."""

    STATUS, MEANING, ADVICE = 0x9D, "'permission denied'", "authenticate with the key that may do this."


class ParameterError(CardAnswered):
    """9E: a parameter is not allowed."""

    STATUS, MEANING, ADVICE = (
        0x9E,
        "'wrong parameter'",
        "check that the card was personalised with this version.",
    )


class NoSuchApplication(CardAnswered):
    """A0: no application has this AID."""

    STATUS, MEANING, ADVICE = 0xA0, "'no such application'", "present a Mancard card."


class AuthenticationDelayed(CardAnswered):
    """AD: too many failed authentications, the card makes one wait."""

    STATUS, MEANING, ADVICE = 0xAD, "'authentication delayed'", "leave the card on the reader and try again."


class AuthenticationFailed(CardAnswered):
    """AE: the key is not the card's, or the command needs an authentication."""

    STATUS, MEANING, ADVICE = 0xAE, "'authentication error'", "refuse the card: the key is not its own."


class BoundaryError(CardAnswered):
    """BE: beyond a file's end, or beyond a value's limits."""

    STATUS, MEANING, ADVICE = 0xBE, "'boundary error'", "the card cannot hold this; replace it at a counter."


class CommandAborted(CardAnswered):
    """CA: the chained command before was not finished."""

    STATUS, MEANING, ADVICE = 0xCA, "'command aborted'", "present the card again."


class Duplicate(CardAnswered):
    """DE: an application or file with this number exists."""

    STATUS, MEANING, ADVICE = 0xDE, "'already exists'", "take a fresh card."


class MemoryFailure(CardAnswered):
    """EE: the card could not write its memory."""

    STATUS, MEANING, ADVICE = 0xEE, "'memory failure'", "replace the card."


class NoSuchFile(CardAnswered):
    """F0: no file has this number."""

    STATUS, MEANING, ADVICE = (
        0xF0,
        "'no such file'",
        "the card was not fully personalised; replace it at a counter.",
    )


_BY_STATUS: dict[int, type[CardAnswered]] = {
    named.STATUS: named for named in CardAnswered.__subclasses__() if named.STATUS is not None
}


def card_answered(status: int, ins: int) -> CardAnswered:
    """The named fault for an error status byte, ready to be raised."""
    return _BY_STATUS.get(status, CardAnswered)(status, ins)
