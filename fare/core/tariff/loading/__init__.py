"""The loader of tariff folders: GTFS-Fares v2 files and `mancard.toml` in, a `Tariff` or all its faults out.

Contents come as bytes by file name; it opens no file.
"""

from fare.core.tariff.loading.findings import TariffFault, TariffFaults
from fare.core.tariff.loading.loader import LoadedTariff, load_tariff
from fare.core.tariff.loading.monotony import monotone

__all__ = ["LoadedTariff", "TariffFault", "TariffFaults", "load_tariff", "monotone"]
