"""Tariff folders at the edge: read, checked, tried on cases, compared, drafted and published."""
