"""Tariff folders at the edge: read, checked, tried on cases, compared, drafted and published."""

from fare.tariffs.source import open_tariff, read_tariff_files

__all__ = ["open_tariff", "read_tariff_files"]
