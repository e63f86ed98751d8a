"""From the files of a tariff folder to one `Tariff`, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fare.core.tariff.loading import charging, entitling, settings
from fare.core.tariff.loading.calendars import read_services, read_timeframes
from fare.core.tariff.loading.card_room import check_counted_rides
from fare.core.tariff.loading.coverage import check_coverage
from fare.core.tariff.loading.fares import CATEGORIES, MEDIA, Fares, read_fares
from fare.core.tariff.loading.findings import Findings, TariffFault
from fare.core.tariff.loading.network import Network, read_network
from fare.core.tariff.loading.oddities import warn_of_oddities
from fare.core.tariff.loading.patterns import read_patterns
from fare.core.tariff.loading.selecting import Known, rounding
from fare.core.tariff.loading.soundness import check_longest_rides, check_soundness
from fare.core.tariff.loading.tables import Tables
from fare.core.tariff.loading.toml_table import Source, Table
from fare.core.tariff.loading.toml_text import FILE, TomlText
from fare.core.tariff.loading.unseen import refuse_unseen
from fare.core.tariff.model import RiderCategory, Service, Tariff, Timeframe

DEFAULT_ZONE = "Asia/Tehran"


@dataclass(frozen=True, slots=True)
class LoadedTariff:
    """`tariff` is None exactly when there are faults; warnings keep nothing from being used."""

    tariff: Tariff | None
    faults: tuple[TariffFault, ...]
    warnings: tuple[TariffFault, ...]


def load_tariff(files: Mapping[str, bytes], version: int = 0, *, unfinished: bool = False) -> LoadedTariff:
    """Read a tariff from the contents of its files by name. Never raises for what is in them.

    `unfinished`: legs without a fare are no fault and nothing is warned of, for who tries a tariff that is
    still being written. What is published is never read so.
    """
    findings = Findings()
    tables = Tables(files, findings)
    tariff = _built(tables, TomlText(tables.content(FILE), findings), version, unfinished)
    faults = findings.all_faults()
    return LoadedTariff(None if faults else tariff, faults, findings.all_warnings())


def _built(tables: Tables, text: TomlText, version: int, unfinished: bool) -> Tariff:
    source = Source(text, tables.findings)
    root = Table(source, (), text.values)
    basics = settings.read_settings(root)
    network = read_network(tables)
    services = read_services(tables)
    timeframes = read_timeframes(tables, services, basics.inclusive_groups)
    settings.check_groups(root, timeframes)
    fares = read_fares(
        tables, network, frozenset(timeframes), basics.currency, basics.exponent, basics.transfer_boundary
    )
    source.exponent = fares.exponent
    categories = settings.read_categories(root, fares, are_listed=tables.has(CATEGORIES))
    media = settings.read_media(root, fares, are_listed=tables.has(MEDIA))
    known = _known(fares, network, categories, frozenset(timeframes), services, basics, tables.has(MEDIA))
    lines, areas = settings.read_numbers(root, fares, network)
    tariff = Tariff(
        version=version,
        name=basics.name or "Tariff",
        currency=fares.currency,
        exponent=fares.exponent,
        zone_name=basics.zone_name or network.zone_name or DEFAULT_ZONE,
        calendar=basics.calendar,
        service_day_starts_s=basics.service_day_starts_s,
        week_starts=basics.week_starts,
        products=tuple(fares.products),
        rider_categories=categories,
        media=media,
        leg_rules=tuple(fares.leg_rules),
        uses_priority=fares.uses_priority,
        join_rules=tuple(fares.join_rules),
        transfer_rules=tuple(fares.transfer_rules),
        transfer_limit_from=basics.limit_from,
        timeframes=timeframes,
        routes=network.routes,
        stop_areas=network.stop_areas,
        area_ids=frozenset(network.area_ids),
        lines=lines,
        areas=areas,
        names={**network.names, **fares.names},
        default_products=settings.read_default_products(root, fares, network),
        rounding=rounding(root),
        windows=entitling.read_windows(root, known),
        caps=entitling.read_caps(root, known),
        passes=entitling.read_passes(root, known, fares),
        concessions=entitling.read_concessions(root, known),
        distance_fares=charging.read_distances(root, known),
        tap_off=charging.read_tap_off(root, known, fares),
        pass_back_s=basics.pass_back_s,
        companions=charging.read_companions(root, known),
        out_of_service=basics.out_of_service,
        overdraft=charging.read_overdraft(root),
        shortfall=charging.read_shortfall(root),
        free_days=(free_days := entitling.read_free_days(root, known)),
        services=_used(services, timeframes, {each.service_id for each in free_days}),
        card=charging.read_card(root),
        stations=network.stations if fares.join_rules else {},
        join_within_s=basics.join_within_s,
        join_anywhere=basics.join_anywhere,
    )
    root.close()
    _check(tariff, fares, network, tables, text, unfinished)
    return tariff


def _check(
    tariff: Tariff, fares: Fares, network: Network, tables: Tables, text: TomlText, unfinished: bool
) -> None:
    """What the parts mean together. Warnings wait until there is a tariff: before that they only distract."""
    findings = tables.findings
    if findings.uncounted_faults:
        return
    check_soundness(tariff, fares, findings)
    if unfinished:
        return
    refuse_unseen(tariff, tables, findings)
    check_longest_rides(tariff, text, findings)
    check_counted_rides(tariff, text, findings)
    patterns = read_patterns(tables, tariff)
    check_coverage(tariff, patterns, findings)
    if not findings.faults:
        warn_of_oddities(tariff, fares, network, patterns, text, findings)


def _known(
    fares: Fares,
    network: Network,
    categories: tuple[RiderCategory, ...],
    timeframes: frozenset[str],
    services: Mapping[str, Service],
    basics: settings.Settings,
    has_media: bool,
) -> Known:
    return Known(
        products=fares.product_names,
        leg_groups={rule.leg_group_id for rule in fares.leg_rules},
        networks=network.listed_networks,
        routes=network.listed_routes,
        areas=network.listed_areas,
        categories={each.rider_category_id for each in categories},
        media=fares.media_ids if has_media else None,
        timeframes=timeframes,
        services=services,
        calendar=basics.calendar,
    )


def _used(
    services: Mapping[str, Service], timeframes: Mapping[str, tuple[Timeframe, ...]], free: set[str]
) -> dict[str, Service]:
    """The services that the tariff names: a feed has many more, and a bus needs none of those."""
    named = free | {frame.service_id for frames in timeframes.values() for frame in frames}
    return {service_id: service for service_id, service in services.items() if service_id in named}
