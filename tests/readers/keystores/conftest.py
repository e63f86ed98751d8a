"""The fixtures of these tests."""

from __future__ import annotations

from tests.keys.softhsm import soft_token, soft_tokens

__all__ = ["soft_token", "soft_tokens"]
