"""The ledger's keys: what signs, and the masters of the cards' keys, in files or in a PKCS#11 token."""

from __future__ import annotations

from fare.keys.channel_roster import ChannelKey, ChannelState
from fare.keys.channels import ChannelKeys, Succession
from fare.keys.generations import Generation, GenerationState
from fare.keys.master_file import SYSTEM_ID, MasterFile
from fare.keys.signing import PrivateKey, SigningKey
from fare.keys.store import (
    EPOCH_SIZE,
    CardMasterStore,
    ChannelRing,
    KeyStore,
    LedgerKeys,
    has_keys,
    move_to_token,
)

__all__ = [
    "EPOCH_SIZE",
    "SYSTEM_ID",
    "CardMasterStore",
    "ChannelKey",
    "ChannelKeys",
    "ChannelRing",
    "ChannelState",
    "Generation",
    "GenerationState",
    "KeyStore",
    "LedgerKeys",
    "MasterFile",
    "PrivateKey",
    "SigningKey",
    "Succession",
    "has_keys",
    "move_to_token",
]
