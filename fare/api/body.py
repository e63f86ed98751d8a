"""The body of an upload, bounded before and after it is decompressed. It decodes nothing else."""

from __future__ import annotations

import io
from typing import Final

import zstandard
from fastapi import Request

from fare.api.errors import ApiError
from fare.collection import MAX_ENVELOPE_BYTES
from fare.core.device_request import CONTENT_TYPE

MAX_WINDOW_BYTES: Final = 8 << 20
"""More memory than this no honest validator asks a decompressor to keep."""


async def envelope_body(request: Request) -> bytes:
    """The uploaded envelope, decompressed; raises ApiError 413, 415 or 400.

    Reading stops at the limit, so a body without an honest length costs no more than the limit.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise ApiError(415, "unsupported_media_type", f"Send the batch as {CONTENT_TYPE}.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "zstd"):
        raise ApiError(415, "unsupported_encoding", "Send the batch as it is or compressed with zstd.")
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MAX_ENVELOPE_BYTES:
            raise _too_large()
    return bytes(received) if encoding == "identity" else _decompressed(bytes(received))


def _decompressed(body: bytes) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    try:
        # Never by the size that the frame claims: it is read up to the limit and not a byte further.
        with decompressor.stream_reader(io.BytesIO(body)) as reader:
            content = reader.read(MAX_ENVELOPE_BYTES + 1)
    except zstandard.ZstdError:
        raise ApiError(
            400, "damaged_body", "The body is not zstd: check that nothing changes it on its way."
        ) from None
    if len(content) > MAX_ENVELOPE_BYTES:
        raise _too_large()
    return content


def _too_large() -> ApiError:
    return ApiError(413, "too_large", "The batch is larger than 1 MiB: send fewer taps at a time.")
