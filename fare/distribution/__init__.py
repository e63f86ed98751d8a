"""Distribution: what the ledger publishes to the buses. The tariff versions and the signed bundle."""

from __future__ import annotations

from fare.distribution.bundles import current_bundle, unchanged_bundle
from fare.distribution.tariffs import (
    MAX_TARIFF_BYTES,
    NoTariffInForce,
    TariffRefused,
    check_publication,
    current_tariff,
    document_size,
    newest_version,
    publication_payload,
    publication_sha256,
    publish_tariff,
    published_by_approval,
    tariff_history,
    tariff_of,
    tariffs_for_buses,
)

__all__ = [
    "MAX_TARIFF_BYTES",
    "NoTariffInForce",
    "TariffRefused",
    "check_publication",
    "current_bundle",
    "current_tariff",
    "document_size",
    "newest_version",
    "publication_payload",
    "publication_sha256",
    "publish_tariff",
    "published_by_approval",
    "tariff_history",
    "tariff_of",
    "tariffs_for_buses",
    "unchanged_bundle",
]
