"""A tariff as sentences that a person can read and approve, in Persian and in English; it prices nothing.

Each sentence names what it tells of (`ref`), so that a page can put it beside the file it came from. Very
long tariffs are told in part: how much is missing is a sentence too.
"""

from __future__ import annotations

from fare.core.tariff.explaining import explain

__all__ = ["explain"]
