"""People who chose to be known, their media, and how they sign in. Nothing here says where anybody was."""

from __future__ import annotations

from fare.riders.codes import (
    LIMITS,
    CodeLimits,
    CodeRefusal,
    CodeSent,
    code_not_sent,
    code_wait,
    redeem_code,
    request_code,
)
from fare.riders.media import (
    HeldMedium,
    LinkRefusal,
    create_rider,
    holder_of,
    link,
    media_of,
    unlink,
)
from fare.riders.senders import CodeNotSent, CodeSender, CommandSender, SandboxSender, code_sender
from fare.riders.sessions import (
    SESSION_LIFE,
    SignedInRider,
    close_phone_sessions,
    close_rider_session,
    fresh_challenge,
    open_rider_session,
    rider_of,
    take_challenge,
)
from fare.riders.wallets import masked_mobile, rider_with_mobile, rider_with_wallet, wallet_of

__all__ = [
    "LIMITS",
    "SESSION_LIFE",
    "CodeLimits",
    "CodeNotSent",
    "CodeRefusal",
    "CodeSender",
    "CodeSent",
    "CommandSender",
    "HeldMedium",
    "LinkRefusal",
    "SandboxSender",
    "SignedInRider",
    "close_phone_sessions",
    "close_rider_session",
    "code_not_sent",
    "code_sender",
    "code_wait",
    "create_rider",
    "fresh_challenge",
    "holder_of",
    "link",
    "masked_mobile",
    "media_of",
    "open_rider_session",
    "redeem_code",
    "request_code",
    "rider_of",
    "rider_with_mobile",
    "rider_with_wallet",
    "take_challenge",
    "unlink",
    "wallet_of",
]
