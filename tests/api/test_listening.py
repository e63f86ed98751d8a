"""The socket that the ledger listens on."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from fare.api.cli import _listen  # pyright: ignore[reportPrivateUsage]


def test_answers_are_not_held_back_to_be_sent_together() -> None:
    """A desk's job is some forty small answers: each would wait 40 ms for the client's acknowledgement."""
    seen: list[int] = []

    def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def visit() -> None:
        listener = _listen("127.0.0.1", 0)
        async with await asyncio.start_server(accepted, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await reader.read() == b""
            writer.close()

    # In a thread: where a browser's tests ran before, this one's loop is taken.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, visit()).result()
    assert seen == [1]
