"""How much, and for how long, anybody may send us in one request. It reads no body itself.

Without it a form or a JSON body is gathered in memory to whatever length it has, before any rule looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fare.api.errors import answer
from fare.collection import MAX_ENVELOPE_BYTES

MAX_BODY_BYTES: Final = MAX_ENVELOPE_BYTES
"""A full batch: nothing longer is sent to a ledger."""
LARGER_BODIES: Final[Mapping[str, int]] = {"/tariffs/drafts": 8 << 20, "/tariffs/cases": 8 << 20}
"""What people of finance upload: a whole feed as a zip, riders with their taps. They are kept on the disk."""
BODY_WITHIN_S: Final = 60.0
"""A full batch over a line of 20 kB/s."""


class _TooLong(Exception):
    """The body went on past the limit."""


class BoundedBodies:
    """ASGI middleware: 413 for a body above the limit, 408 for one that takes too long."""

    def __init__(self, app: ASGIApp, *, within_s: float = BODY_WITHIN_S) -> None:
        self._app = app
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; what the application was handed so far is dropped with its request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = LARGER_BODIES.get(scope["path"], MAX_BODY_BYTES)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isascii() or not announced.isdigit() or int(announced[:20]) > most:
            await _refuse_long(most)(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        body = _Body(receive, most, anyio.current_time() + self._within_s)
        try:
            await self._app(scope, body.receive, watched)
        except (_TooLong, TimeoutError):
            if begun or body.trouble is None:
                raise
        if body.trouble is not None and not begun:
            await body.trouble(scope, receive, send)


class _Body:
    """One request's body on its way in. `trouble` is the answer it earned, if it did."""

    def __init__(self, receive: Receive, most: int, deadline_s: float) -> None:
        self._receive = receive
        self._most = most
        self._deadline_s = deadline_s
        self._received = 0
        self._is_whole = False
        self.trouble: ASGIApp | None = None

    async def receive(self) -> Message:
        if self._is_whole:  # what comes now is only word of the connection's end
            return await self._receive()
        try:
            with anyio.fail_after(max(0.0, self._deadline_s - anyio.current_time())):
                message = await self._receive()
        except TimeoutError:
            self.trouble = _refuse_slow
            raise
        self._received += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._received > self._most:
            self.trouble = _refuse_long(self._most)
            raise _TooLong
        return message


def _refuse_long(most: int) -> ASGIApp:
    advice = f"The request is larger than {most >> 20} MiB: send less at a time."
    return answer(413, "too_large", advice, {"Connection": "close"})


async def _refuse_slow(scope: Scope, receive: Receive, send: Send) -> None:
    advice = "The request did not arrive within a minute: try again, with less at a time."
    await answer(408, "too_slow", advice, {"Connection": "close"})(scope, receive, send)
