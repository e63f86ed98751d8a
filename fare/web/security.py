"""What every page sends along, and the small checks that keep other sites out of our forms."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

SESSION_COOKIE: Final = "mancard_session"
FORM_COOKIE: Final = "mancard_form"
"""Before anybody is signed in, a form proves by this cookie that it came from our own page."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: a browser would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~-]*")


def protect(response: Response) -> Response:
    """Add the headers, and keep the page out of caches: it holds figures of people's money."""
    response.headers.update(HEADERS)
    response.headers["Cache-Control"] = "no-store"
    return response


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    max_age_s: int | None = None,
    *,
    path: str = "/",
) -> None:
    """A cookie that no script reads and no other site sends; over HTTPS it never leaves HTTPS."""
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path=path,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def from_own_page(request: Request) -> bool:
    """Whether the browser says that the form was on a page of this very address."""
    origin = request.headers.get("origin")
    if origin is None:
        return True  # not a browser, or an old one; the form's secret is checked in any case
    return urlsplit(origin).netloc == request.headers.get("host", "")


def same_secret(expected: str | None, presented: str) -> bool:
    """Compare a form's secret with the one it must carry, in constant time. None and empty match nothing."""
    return bool(expected) and hmac.compare_digest((expected or "").encode(), presented.encode())


def local_path(path: str) -> str:
    """A path on this very site to go on to after signing in; anything else becomes the start page."""
    return path if _LOCAL_PATH.fullmatch(path) else "/"
