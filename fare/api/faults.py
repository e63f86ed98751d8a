"""The outermost edge of the web server: a fault becomes a sentence with a reference, its traceback a log
line.

Nobody who asks sees a traceback; the file `faults.log` in the state folder has it under the same reference.
"""

from __future__ import annotations

import os
import secrets
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fare.api.errors import answer

LOG_NAME = "faults.log"


class FaultsToSentences:
    """ASGI middleware: answers 500 with a reference where the application raised."""

    def __init__(self, app: ASGIApp, *, folder: Path, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._folder = folder
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; an exception after the answer has begun can only end the connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as fault:  # noqa: BLE001 - the outermost edge: here a fault becomes a sentence
            reference = self._write(scope, fault)
            if not begun:
                advice = f"The ledger met a fault of its own: nothing was lost; name reference {reference}."
                await answer(500, "internal_fault", advice)(scope, receive, send)

    def _write(self, scope: Scope, fault: Exception) -> str:
        reference = secrets.token_hex(4)
        told = "".join(traceback.format_exception(fault))
        line = f"{self._clock().isoformat()} {reference} {scope['method']} {scope['path']!r}\n{told}\n"
        try:
            # Only this account may read it: a fault may carry what was being worked on.
            handle = os.open(
                self._folder / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600
            )
            with os.fdopen(handle, "a", encoding="utf-8") as log:
                log.write(line)
        except OSError:
            return f"{reference} (its log could not be written)"
        return reference
