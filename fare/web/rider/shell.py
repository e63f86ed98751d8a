"""The rider's page as files: the shell, its service worker, its manifest, and what lies in `static`.

None of them holds anything of a rider, so all may be cached; each is sent with a strong ETag of its content
and asked for again. Text is compressed once and kept: an old phone on a slow line loads all of it at its
first visit. The API's answers are never compressed: they carry secrets beside what others can choose.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.web.rider.refusals import RiderError, RiderRefused
from fare.web.security import HEADERS

FOLDER: Final = Path(__file__).parent
CONTENT_SECURITY: Final = f"{HEADERS['Content-Security-Policy']}; worker-src 'self'; manifest-src 'self'"
"""That of every page, with the service worker and the manifest that only this one has."""
_TYPES: Final = {
    ".webmanifest": "application/manifest+json",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
_COMPRESSED: Final = {".html", ".js", ".mjs", ".css", ".json", ".svg", ".webmanifest", ".txt", ".md"}
_GZIP_LEVEL: Final = 9


@dataclass(frozen=True, slots=True)
class _Asset:
    """One file: `stamp` tells whether it has changed on the disk since."""

    stamp: tuple[int, int]
    media_type: str
    digest: str
    plain: bytes
    zipped: bytes | None


class Assets:
    """The files below one folder, read once and again when they change. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._kept: dict[Path, _Asset] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request, name: str, **headers: str) -> Response:
        """The file `name` (a path below the folder) as an answer, 304 when the browser has it, or 404."""
        asset = self._asset(name)
        if asset is None:
            return RiderRefused(RiderError.NOT_FOUND).answer()
        zips = asset.zipped is not None and _takes_gzip(request)
        tag = f'"{asset.digest}{"-gz" if zips else ""}"'
        told = {
            **HEADERS,
            "Content-Security-Policy": CONTENT_SECURITY,
            "Cache-Control": "no-cache",
            "ETag": tag,
            **headers,
        }
        if asset.zipped is not None:
            told["Vary"] = "Accept-Encoding"
        if tag in _tags(request):
            return Response(status_code=304, headers=told)
        if zips:
            told["Content-Encoding"] = "gzip"
        content = asset.zipped if zips and asset.zipped is not None else asset.plain
        return Response(content, media_type=asset.media_type, headers=told)

    def _asset(self, name: str) -> _Asset | None:
        if any(part.startswith(".") for part in name.split("/")):
            return None
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder):
                return None
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            kept = self._kept.get(path)
            if kept is not None and kept.stamp == stamp:
                return kept
            plain = path.read_bytes()
        except (OSError, ValueError):
            return None
        suffix = path.suffix.lower()
        guessed = _TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        digest = hashlib.sha256(plain).hexdigest()[:32]
        zipped = gzip.compress(plain, _GZIP_LEVEL, mtime=0) if suffix in _COMPRESSED else None
        asset = _Asset(stamp, guessed, digest, plain, zipped)
        with self._lock:
            self._kept[path] = asset
        return asset


def routes() -> APIRouter:
    """`/rider/` and all of its files."""
    router = APIRouter(prefix="/rider", include_in_schema=False)
    static, templates, texts = (
        Assets(FOLDER / "static"),
        Assets(FOLDER / "templates"),
        Assets(FOLDER / "texts"),
    )

    @router.get("")
    def without_slash() -> Response:
        return RedirectResponse("/rider/", 308)

    @router.get("/")
    def shell(request: Request) -> Response:
        return templates.answer(request, "rider.html")

    @router.get("/sw.js")
    def service_worker(request: Request) -> Response:
        return static.answer(request, "sw.js", **{"Service-Worker-Allowed": "/rider/"})

    @router.get("/manifest.webmanifest")
    def manifest(request: Request) -> Response:
        return static.answer(request, "manifest.webmanifest")

    @router.get("/static/{name:path}")
    def static_file(request: Request, name: str) -> Response:
        return static.answer(request, name)

    @router.get("/texts/{name}")
    def catalogue(request: Request, name: str) -> Response:
        return texts.answer(request, name)

    return router


def _takes_gzip(request: Request) -> bool:
    offered = request.headers.get("accept-encoding", "").lower().split(",")
    names = {part.partition(";")[0].strip(): part.partition(";")[2].replace(" ", "") for part in offered}
    return "gzip" in names and names["gzip"] not in ("q=0", "q=0.0")


def _tags(request: Request) -> set[str]:
    held = request.headers.get("if-none-match", "")
    return {part.strip().removeprefix("W/") for part in held.split(",")}
