"""Distribution: what the ledger publishes to the buses. The tariff versions and the signed bundle."""

from __future__ import annotations

from fare.distribution.bundles import current_bundle, unchanged_bundle
from fare.distribution.tariffs import (
    NoTariffInForce,
    TariffRefused,
    current_tariff,
    publish_tariff,
    tariff_history,
)

__all__ = [
    "NoTariffInForce",
    "TariffRefused",
    "current_bundle",
    "current_tariff",
    "publish_tariff",
    "tariff_history",
    "unchanged_bundle",
]
