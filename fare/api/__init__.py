"""The ledger's web server for machines, with the console's pages mounted in it. Statuses live here."""

from __future__ import annotations

from fare.api.app import create_app

__all__ = ["create_app"]
