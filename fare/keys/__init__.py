"""The ledger's keys: what signs, and the masters of the cards' keys, in files or in a PKCS#11 token."""

from __future__ import annotations

from fare.keys.generations import Generation, GenerationState
from fare.keys.master_file import SYSTEM_ID, MasterFile
from fare.keys.store import (
    EPOCH_SIZE,
    CardMasterStore,
    KeyStore,
    LedgerKeys,
    PrivateKey,
    SigningKey,
    move_to_token,
)

__all__ = [
    "EPOCH_SIZE",
    "SYSTEM_ID",
    "CardMasterStore",
    "Generation",
    "GenerationState",
    "KeyStore",
    "LedgerKeys",
    "MasterFile",
    "PrivateKey",
    "SigningKey",
    "move_to_token",
]
