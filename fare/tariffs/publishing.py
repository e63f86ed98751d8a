"""From a checked tariff to one in the bundle: fitted to the city, asked for by one, allowed by another.

What the second person looked at is published byte for byte: it is kept with the request. It prices nothing
and reads no folder; a tariff with faults never gets here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, func, select

from fare.core.errors import OperatorError
from fare.core.signed import canonical
from fare.core.tariff.loading.saying import say, told
from fare.core.tariff.model import EMPTY, LegRule, Tariff
from fare.core.tariff.naming import TariffLocale
from fare.distribution import (
    check_publication,
    newest_version,
    publication_payload,
    publication_sha256,
    publish_tariff,
    published_by_approval,
    tariff_of,
)
from fare.network import LineView, areas, lines
from fare.settings import LedgerSettings
from fare.staff import Action, ApprovalRefusal, ApprovalView, approval, approve, request
from fare.tariffs.models import TariffRequest

_CURRENCY = "IRR"


class DoesNotFit(OperatorError):
    """The tariff has no fault of its own, but this city cannot run it; the message says all that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join(self.problems))

    def told(self, locale: TariffLocale) -> str:
        """The message for a person who reads this language."""
        return "\n  ".join(told(problem, locale) for problem in self.problems)


@dataclass(frozen=True, slots=True)
class PublicationRequest:
    """What a second person is asked for. `sha256` is over exactly the document and the start.

    `looked_at` is what they hand back to say which payload they saw. `effect`: what the comparison with real
    rides said when it was asked for (`fare.tariffs.effects`), None where nobody compared.
    """

    approval_id: str
    draft_id: str | None
    tariff: Tariff
    starts_at: datetime
    sha256: bytes
    looked_at: bytes
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    published: bool
    effect: bytes | None


def fitted(session: Session, settings: LedgerSettings, tariff: Tariff, version: int) -> Tariff:
    """The tariff as this city's buses get it: numbered, with the lines and areas of the network.

    Raises DoesNotFit with every reason: another currency, zone or service day than the city's, a line or an
    area whose number the tariff gives to another, a line without a fare, also where a bus does not know its
    area: it would refuse everybody.
    """
    problems: list[str] = []
    city_lines = [line for line in lines(session) if line.active]
    if (tariff.currency, tariff.exponent) != (_CURRENCY, 0):
        problems.append(
            say(
                "The city settles in rial, the tariff is in {currency}: write amounts in IRR, and"
                " exponent = 0 in mancard.toml.",
                currency=tariff.currency,
            )
        )
    if tariff.zone_name != settings.zone:
        problems.append(
            say(
                "The city's time zone is {ours}, the tariff's {its}: write"
                ' zone = "{ours}" in mancard.toml.',
                ours=settings.zone,
                its=tariff.zone_name,
            )
        )
    starts = settings.day_starts_at
    if tariff.service_day_starts_s != starts.hour * 3600 + starts.minute * 60:
        problems.append(
            say(
                "The city's service day starts at {time}, the tariff's does not: write"
                ' service_day_starts = "{time}" in mancard.toml.',
                time=f"{starts:%H:%M}",
            )
        )
    ready = with_network(session, tariff)
    problems += _taken(tariff.lines, ready.lines, say("line")) + _taken(
        tariff.areas, ready.areas, say("area")
    )
    problems += _without_fare(ready, city_lines)
    if problems:
        raise DoesNotFit(problems)
    return replace(ready, version=version)


def with_network(session: Session, tariff: Tariff) -> Tariff:
    """The tariff with the numbers and names that the network gives to lines and areas; it wins over both."""
    city_lines, city_areas = [line for line in lines(session) if line.active], areas(session)
    names = {f"route:{line.route_id}": line.name for line in city_lines}
    names |= {f"area:{each.area_id}": each.name for each in city_areas}
    return replace(
        tariff,
        lines={**tariff.lines, **{line.line: line.route_id for line in city_lines}},
        areas={**tariff.areas, **{each.area: each.area_id for each in city_areas}},
        routes=_routes(tariff, city_lines),
        # Who reads the tariff before it is allowed knows lines and areas by the names of their city.
        names={**tariff.names, **names},
    )


def next_version(session: Session) -> int:
    """The next number: above all that were published, and above all that somebody was asked for."""
    asked = session.exec(select(func.max(TariffRequest.version))).one() or 0
    return max(newest_version(session), asked) + 1


def request_publication(
    session: Session,
    settings: LedgerSettings,
    tariff: Tariff,
    starts_at: datetime,
    by: str,
    now: datetime,
    *,
    draft_id: str | None = None,
    effect: bytes | None = None,
) -> PublicationRequest:
    """Ask a second person. Raises DoesNotFit, TariffRefused, OperatorError for somebody who may not ask."""
    ready = fitted(session, settings, tariff, next_version(session))
    check_publication(session, ready, starts_at, now)
    asked = request(session, Action.PUBLISH_TARIFF, publication_payload(ready, starts_at), by, now)
    if not isinstance(asked, ApprovalView):
        raise OperatorError(f"{by} may not ask for a tariff: somebody of finance may.")
    row = TariffRequest(
        approval_id=asked.approval_id,
        draft_id=draft_id,
        version=ready.version,
        document=canonical(ready.to_document()),
        starts_at=starts_at,
        effect=effect,
    )
    session.add(row)
    session.flush()
    return _view(row, asked, {})


def publication_request(session: Session, approval_id: str) -> PublicationRequest | None:
    """What was asked for under this number, or None."""
    row, asked = session.get(TariffRequest, approval_id), approval(session, approval_id)
    return None if row is None or asked is None else _view(row, asked, published_by_approval(session))


def publication_requests(session: Session, limit: int = 50) -> list[PublicationRequest]:
    """The newest requests first, published ones too."""
    published = published_by_approval(session)
    rows = session.exec(select(TariffRequest).order_by(col(TariffRequest.version).desc()).limit(limit))
    return [
        _view(row, asked, published)
        for row in rows
        if (asked := approval(session, row.approval_id)) is not None
    ]


def publish_approved(session: Session, approval_id: str, now: datetime) -> PublicationRequest | None:
    """Publish what was asked for under an approval just given; None for an approval of anything else.

    Raises TariffRefused (its start has passed meanwhile, another version came first) and NotApproved.
    """
    row = session.get(TariffRequest, approval_id)
    if row is None:
        return None
    publish_tariff(session, tariff_of(row.document), row.starts_at, approval_id, now)
    return publication_request(session, approval_id)


def approve_and_publish(
    session: Session, approval_id: str, looked_at: bytes, by: str, now: datetime
) -> PublicationRequest | ApprovalRefusal:
    """The second person's yes and the publication, in one transaction. Raises as `publish_approved` does."""
    if publication_request(session, approval_id) is None:
        return ApprovalRefusal.UNKNOWN
    refusal = approve(session, approval_id, looked_at, by, now)
    if refusal is not None:
        return refusal
    return publish_approved(session, approval_id, now) or ApprovalRefusal.UNKNOWN


def _view(row: TariffRequest, asked: ApprovalView, published: Mapping[str, int]) -> PublicationRequest:
    return PublicationRequest(
        approval_id=row.approval_id,
        draft_id=row.draft_id,
        tariff=tariff_of(row.document),
        starts_at=row.starts_at,
        sha256=publication_sha256(row.document, row.starts_at),
        looked_at=asked.payload_sha256,
        requested_by=asked.requested_by,
        requested_at=asked.requested_at,
        approved_by=asked.approved_by,
        published=row.approval_id in published,
        effect=row.effect,
    )


def _taken(own: Mapping[int, str], networks: Mapping[int, str], what: str) -> list[str]:
    """A number that both give must be the same thing's."""
    return [
        say(
            "The number {number} is {what} {ours} of the network and {its} of the tariff: correct"
            " [numbers] in mancard.toml.",
            number=number,
            what=what,
            ours=networks[number],
            its=name,
        )
        for number, name in own.items()
        if networks[number] != name
    ]


def _routes(tariff: Tariff, city_lines: list[LineView]) -> dict[str, str]:
    """Every line's network; a route that routes.txt does not list is in none, or is one by its own name."""
    known = {rule.network_id for rule in tariff.leg_rules} | set(tariff.routes.values())
    ours = {line.route_id: line.route_id if line.route_id in known else EMPTY for line in city_lines}
    return {**ours, **tariff.routes}


def _without_fare(tariff: Tariff, city_lines: Sequence[LineView]) -> list[str]:
    """What is to be said of lines that no rule prices, or none where a bus does not know its area."""
    placeless = [rule for rule in tariff.leg_rules if (rule.from_area_id, rule.to_area_id) == (EMPTY, EMPTY)]
    problems: list[str] = []
    for line in city_lines:
        if not _has_fare(tariff, tariff.leg_rules, line.route_id):
            problems.append(
                say(
                    "Line {name} ({id}) has no fare: add a leg rule for it, or a [default_fare].",
                    name=line.name,
                    id=line.route_id,
                )
            )
        elif not _has_fare(tariff, placeless, line.route_id):
            problems.append(
                say(
                    "Line {name} ({id}) has no fare where a bus does not know its area: add a"
                    " [default_fare], or a leg rule without areas.",
                    name=line.name,
                    id=line.route_id,
                )
            )
    return problems


def _has_fare(tariff: Tariff, rules: Sequence[LegRule], route: str) -> bool:
    """Whether one of these leg rules of the tariff can match the line, or a default fare stands in for it."""
    network = tariff.routes.get(route, EMPTY)
    if {route, network, EMPTY} & tariff.default_products.keys():
        return True
    if network != EMPTY and any(rule.network_id == network for rule in rules):
        return True
    listed = {rule.network_id for rule in tariff.leg_rules} - {EMPTY}
    open_to_all = any(rule.network_id == EMPTY for rule in rules)
    return open_to_all and (tariff.uses_priority or network not in listed)
