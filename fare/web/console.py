"""What all pages share: the database, the clock, who is looking and how, and how a page is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fare.core.calendar import service_day
from fare.core.money import Locale, Unit
from fare.database.engine import read, write
from fare.network import shows_sample
from fare.settings import LedgerSettings
from fare.staff import LoginThrottle, Right, SignedIn, prolong, signed_in
from fare.web.figures import Figures
from fare.web.security import FORM_COOKIE, SESSION_COOKIE, local_path, protect, set_cookie
from fare.web.texts import LOCALES, Texts, texts

STATIC_FOLDER: Final = Path(__file__).with_name("static")
UNITS: Final[tuple[Unit, ...]] = ("toman", "rial")
_LANGUAGE_COOKIE: Final = "mancard_language"
_UNIT_COOKIE: Final = "mancard_unit"
_A_YEAR_S: Final = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Reader:
    """How somebody wants to read: language and unit of money, each kept in a cookie."""

    t: Texts
    figures: Figures


@dataclass(frozen=True, slots=True)
class Console:
    """The staff console around one database. `clock` returns an aware instant."""

    engine: Engine
    settings: LedgerSettings
    clock: Callable[[], datetime]
    throttle: LoginThrottle = field(default_factory=LoginThrottle)
    templates: Environment = field(init=False)

    def __post_init__(self) -> None:
        """Load the templates; an undefined name in one is a fault, never an empty space."""
        templates = Environment(
            loader=PackageLoader("fare.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        object.__setattr__(self, "templates", templates)

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return self.settings.zone_info

    def today(self) -> date:
        """The service day that is running."""
        return service_day(self.clock(), self.zone, self.settings.day_starts_at)

    def reader(self, request: Request) -> Reader:
        """Language and unit from the cookies; Persian and toman where they say nothing."""
        locale: Locale = "en" if request.cookies.get(_LANGUAGE_COOKIE) == "en" else "fa"
        unit: Unit = "rial" if request.cookies.get(_UNIT_COOKIE) == "rial" else "toman"
        return Reader(texts(locale), Figures(locale, unit, self.zone))

    def visitor(self, request: Request, *, counts_as_use: bool = True) -> SignedIn | None:
        """Who is signed in. A page that refreshes itself does not count as use."""
        token = request.cookies.get(SESSION_COOKIE)
        if not token:
            return None
        now = self.clock()
        with read(self.engine) as session:
            who = signed_in(session, token, now)
        if who is not None and who.to_prolong and counts_as_use:
            with write(self.engine) as session:
                prolong(session, token, now)
        return who

    def preferences(self, request: Request) -> Response | None:
        """The answer to `?language=…` or `?unit=…`: remember it and show the page again."""
        language, unit = request.query_params.get("language"), request.query_params.get("unit")
        if language not in LOCALES and unit not in UNITS:
            return None
        kept = {
            name: value for name, value in request.query_params.items() if name not in ("language", "unit")
        }
        path = local_path(request.url.path) + (f"?{urlencode(kept)}" if kept else "")
        response = RedirectResponse(path, 303)
        if language in LOCALES:
            set_cookie(request, response, _LANGUAGE_COOKIE, language, _A_YEAR_S)
        if unit in UNITS:
            set_cookie(request, response, _UNIT_COOKIE, unit, _A_YEAR_S)
        return protect(response)

    def page(
        self, request: Request, template: str, who: SignedIn | None = None, status: int = 200, **values: Any
    ) -> Response:
        """Render one page (or fragment) with everything the frame around it needs."""
        reader = self.reader(request)
        form_secret = who.csrf_secret if who is not None else request.cookies.get(FORM_COOKIE)
        fresh_secret = form_secret or secrets.token_urlsafe(32)
        with read(self.engine) as session:
            sample = shows_sample(session)
        body = self.templates.get_template(template).render(
            t=reader.t,
            figures=reader.figures,
            who=who,
            Right=Right,
            csrf=fresh_secret,
            path=local_path(request.url.path),
            city_name=self.settings.city_name,
            city=self.settings.city.title(),
            sample=sample,
            units=UNITS,
            **values,
        )
        response = HTMLResponse(body, status)
        if form_secret is None:
            set_cookie(request, response, FORM_COOKIE, fresh_secret)
        return protect(response)

    def refuse(self, request: Request, who: SignedIn | None, status: int, key: str) -> Response:
        """A page that says in one sentence why there is nothing to see."""
        return self.page(request, "refusal.html", who, status, title_key="refusal.title", key=key)

    def to_sign_in(self, request: Request) -> Response:
        """Send somebody who is not signed in to the sign-in page, and back here afterwards."""
        return protect(RedirectResponse(f"/login?{urlencode({'next': local_path(request.url.path)})}", 303))
