"""Where a validator finds the cards' keys when its kit does not carry them: a PKCS#11 token, or a SAM."""

from __future__ import annotations

from readers.ports import ReaderFault


class KeyStoreFault(ReaderFault):
    """The token or module that keeps the keys failed while a card was being opened; the card did nothing."""
