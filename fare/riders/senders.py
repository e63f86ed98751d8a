"""How a one-time code reaches a phone: printed for a demonstration, or handed to the city's own command.

It makes no code and keeps none. Send only after the transaction that made the code has committed.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import Final, Protocol

from fare.core.errors import OperatorError
from fare.settings import CodeSenderKind, LedgerSettings

COMMAND_TIMEOUT_S: Final = 10
_CODE: Final = re.compile(r"(?<!\d)\d{6}(?!\d)")


class CodeNotSent(OperatorError):
    """The message did not leave; the text says what whoever runs the ledger has to look at."""


class CodeSender(Protocol):
    """Whatever takes a short message to a mobile number."""

    def send(self, mobile: str, text: str) -> None:
        """Send it, or raise CodeNotSent. `mobile` in its national form, 09 and nine digits."""
        ...


class SandboxSender:
    """Prints the code on standard output, in one line: for demonstrations and tests, never for a city."""

    def send(self, mobile: str, text: str) -> None:
        """Print `one-time code for 09121234567: 123456`."""
        code = _CODE.search(text)
        sys.stdout.write(f"one-time code for {mobile}: {text if code is None else code[0]}\n")
        sys.stdout.flush()


class CommandSender:
    """Runs the city's command with the number as its last argument and the message on its standard input."""

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)

    def send(self, mobile: str, text: str) -> None:
        """Run it. Raises CodeNotSent unless it ends with status 0 in time."""
        try:
            done = subprocess.run(
                [*self._command, mobile],
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CodeNotSent(
                f"The command of MANCARD_CODE_COMMAND took more than {COMMAND_TIMEOUT_S} s: the code was not"
                " sent. Look at its gateway."
            ) from None
        except OSError as fault:
            raise CodeNotSent(
                f"The command of MANCARD_CODE_COMMAND cannot be run ({fault.strerror}): correct the setting."
            ) from None
        if done.returncode:
            raise CodeNotSent(
                f"The command of MANCARD_CODE_COMMAND ended with status {done.returncode}: the code was not"
                " sent. Look at its own log."
            )


def code_sender(settings: LedgerSettings) -> CodeSender | None:
    """The sender that MANCARD_CODE_SENDER names; None when codes are not sent at all.

    Raises OperatorError where the city's command is not on this machine: better at the start than to a rider.
    """
    if settings.code_sender is CodeSenderKind.SANDBOX:
        return SandboxSender()
    if settings.code_sender is CodeSenderKind.COMMAND and settings.code_command is not None:
        if shutil.which(shlex.split(settings.code_command)[0]) is None:
            raise OperatorError(
                "MANCARD_CODE_COMMAND names no program that can be run on this machine: give its whole path."
            )
        return CommandSender(settings.code_command)
    return None
