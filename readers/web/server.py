"""The validator's own small web face, on the standard library: it works with the ledger dead and the line
cut.

    GET  /bus                 the page (Persian; ?lang=en English)
    GET  /bus/state           what it shows, as JSON
    POST /bus/tap             {"card": name}                    lay a virtual card on the reader
    POST /bus/ticket          {"phone": name, "new_ride": bool}, {"text": code} or {"picture": base64}
    POST /bus/inspect         {"on": bool}                      tell an inspector who has paid, or sell rides
    POST /bus/uplink          {"connected": bool}               cut or restore the real uplink

It decides nothing about fares. Every POST answers with the same document as `state`. A request for
another host name, from another origin or without the page's token is refused, so no other page can press
its buttons.
"""

from __future__ import annotations

import errno
import hmac
import html
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from string import Template
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

from fare.core.errors import OperatorError
from fare.core.money import Locale
from readers.process import ValidatorProcess
from readers.web import controls
from readers.web.words import LOCALES, locale_of, text_file, texts

MAX_BODY_BYTES: Final = 16_384
MAX_PICTURE_BYTES: Final = 12 << 20
"""A phone's photo in base64."""
REQUEST_TIMEOUT_S: Final = 15
TOKEN_HEADER: Final = "X-Mancard-Token"  # noqa: S105 - the header's name
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATIC: Final = {
    "/static/bus.css": ("text/css; charset=utf-8", "static/bus.css"),
    "/static/bus.js": ("text/javascript; charset=utf-8", "static/bus.js"),
    "/static/bus.svg": ("image/svg+xml", "static/bus.svg"),
    "/static/vendor/vazirmatn.woff2": ("font/woff2", "static/vendor/vazirmatn.woff2"),
    "/static/vendor/vazirmatn-OFL.txt": ("text/plain; charset=utf-8", "static/vendor/vazirmatn-OFL.txt"),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], process: ValidatorProcess) -> None:
        self.process = process
        self.token = secrets.token_urlsafe(24)
        self.hosts: frozenset[str] = frozenset()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no event; faults of a request were answered by the handler."""


class WebFace:
    """The page of one validator. Raises OperatorError when its port is taken."""

    def __init__(self, process: ValidatorProcess, host: str, port: int) -> None:
        try:
            self._server = _Server((host, port), process)
        except OSError as fault:
            raise _cannot_listen(fault, host, port) from fault
        self.port = self._server.server_address[1]
        self._server.hosts = frozenset(
            f"{name}:{self.port}" for name in {host, "127.0.0.1", "localhost", "[::1]"}
        )
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=lambda: self._server.serve_forever(0.1), name="web", daemon=True
        )

    def start(self) -> None:
        """Serve in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop taking requests."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _cannot_listen(fault: OSError, host: str, port: int) -> OperatorError:
    if fault.errno == errno.EADDRINUSE:
        return OperatorError(
            f"Port {port} of {host} is in use: stop the program that holds it, or give another --port."
        )
    return OperatorError(
        f"The validator's page cannot listen on {host} port {port} ({fault.strerror}): give another "
        "--host or --port."
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Mancard"
    sys_version = ""
    timeout = REQUEST_TIMEOUT_S
    # Head and body are two writes: Nagle's algorithm would hold the second back for 40 ms.
    disable_nagle_algorithm = True

    @property
    def _home(self) -> _Server:
        return cast("_Server", self.server)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: what riders tap is in the journal alone."""

    def do_GET(self) -> None:
        """Pages and state."""
        if not self._host_is_ours():
            return
        target = urlsplit(self.path)
        locale = locale_of(parse_qs(target.query).get("lang", [None])[0])
        if target.path == "/":
            self._redirect("/bus")
        elif target.path == "/bus":
            self._send(200, "text/html; charset=utf-8", _page(self._home, locale))
        elif target.path == "/bus/state":
            self._json(200, controls.state(self._home.process, locale))
        elif target.path in _STATIC:
            kind, name = _STATIC[target.path]
            self._send(200, kind, files("readers.web").joinpath(name).read_bytes(), storable=True)
        elif target.path in {f"/static/texts/{known}.json" for known in LOCALES}:
            name = target.path.rsplit("/", 1)[1].removesuffix(".json")
            self._send(200, "application/json; charset=utf-8", text_file(locale_of(name)))
        else:
            self._json(404, {"error": "There is no such page: open /bus."})

    def do_POST(self) -> None:
        """The buttons."""
        body = self._body()
        if body is None or not self._host_is_ours() or not self._is_our_page():
            return
        target = urlsplit(self.path)
        locale = locale_of(parse_qs(target.query).get("lang", [None])[0])
        act = controls.ACTIONS.get(target.path)
        if act is None:
            self._json(404, {"error": "There is no such action: open /bus."})
            return
        try:
            document: object = json.loads(body)
            if not isinstance(document, dict):
                raise controls.NotPossible("The request is not understood: open /bus again.")
            act(self._home.process, cast("dict[str, Any]", document))
        except controls.NotPossible as refusal:
            self._json(409, {"error": str(refusal), "reason": refusal.reason})
        except ValueError:
            self._json(400, {"error": "The request is not understood: open /bus again."})
        else:
            self._json(200, controls.state(self._home.process, locale))

    def _host_is_ours(self) -> bool:
        if self.headers.get("Host", "") in self._home.hosts:
            return True
        self._json(421, {"error": f"This is the validator's page: open {self._origin()}/bus."})
        return False

    def _is_our_page(self) -> bool:
        origin = self.headers.get("Origin")
        token = self.headers.get(TOKEN_HEADER, "")
        allowed = {f"http://{host}" for host in self._home.hosts}
        json_sent = self.headers.get("Content-Type", "").split(";")[0].strip() == "application/json"
        if (
            json_sent
            and (origin is None or origin in allowed)
            and hmac.compare_digest(token.encode(), self._home.token.encode())
        ):
            return True
        self._json(403, {"error": "This did not come from the validator's own page: open /bus again."})
        return False

    def _origin(self) -> str:
        return f"http://127.0.0.1:{self._home.server_address[1]}"

    def _body(self) -> bytes | None:
        """The body, read before any answer so that the connection stays usable; None when it was too long."""
        length = self.headers.get("Content-Length", "0")
        most = MAX_PICTURE_BYTES if urlsplit(self.path).path == "/bus/ticket" else MAX_BODY_BYTES
        if not length.isascii() or not length.isdigit() or int(length) > most:
            self.close_connection = True
            sentence = "The request is too long: choose a smaller picture or a shorter text."
            self._json(413, {"error": sentence, "reason": "too_long"})
            return None
        return self.rfile.read(int(length))

    def _redirect(self, to: str) -> None:
        self.send_response(303)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, status: int, document: object) -> None:
        self._send(
            status, "application/json; charset=utf-8", json.dumps(document, ensure_ascii=False).encode()
        )

    def _send(self, status: int, kind: str, body: bytes, *, storable: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache" if storable else "no-store")
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _page(server: _Server, locale: Locale) -> bytes:
    said = {key: html.escape(text) for key, text in texts(locale).items() if isinstance(text, str)}
    loaded = server.process.bundles.current
    here = None if loaded is None else loaded.here
    place = here.line_name if here is not None else str(server.process.kit.device)
    template = Template(files("readers.web").joinpath("static", "bus.html").read_text(encoding="utf-8"))
    other: Locale = "en" if locale == "fa" else "fa"
    return template.substitute(
        said, token=server.token, other_lang=other, line_or_device=html.escape(place)
    ).encode()
