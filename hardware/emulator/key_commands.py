"""Commands that change, name or roll keys.

The new key never travels in the clear: it is enciphered by the session and, for another key than the
session's own, XORed with the old one and checked by a CRC, so only someone who knows both can set it.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from hardware.emulator.chip import Chip, fresh_keys
from hardware.emulator.crypto import key_checksum
from hardware.emulator.session import CommMode
from hardware.emulator.state import KEY_BYTES, MASTER_KEY, MASTER_KEY_CHANGEABLE, Application, CardKey, KeySet
from hardware.emulator.status import CardRefusal, Status, require

AES_KEY_TYPE = 0x80
CHANGE_WITH_SAME_KEY = 0xE
KEYS_FROZEN = 0xF
KEY_SET_FOLLOWS = 0x40
AES_KEY_SET = 0x02


def get_key_version(chip: Chip, ins: int, data: bytes) -> bytes:
    """64 KeyNo, or 64 40|KeyNo KeySetNo: one version byte; needs no authentication."""
    mode = chip.command_mode
    plain = chip.unwrap(mode, ins, data, 2)
    require(1 <= len(plain) <= 2, Status.LENGTH_ERROR)
    key_no = plain[0] & 0x3F
    require(plain[0] & 0x80 == 0, Status.PARAMETER_ERROR)
    if not plain[0] & KEY_SET_FOLLOWS:
        require(len(plain) == 1, Status.LENGTH_ERROR)
        return chip.wrap(mode, bytes((chip.key(key_no).version,)))
    require(len(plain) == 2, Status.LENGTH_ERROR)
    key_set = _key_set(chip.application, plain[1])
    require(key_no < len(key_set.keys), Status.NO_SUCH_KEY)
    return chip.wrap(mode, bytes((key_set.keys[key_no].version,)))


def _key_set(application: Application, set_no: int) -> KeySet:
    require(set_no < len(application.key_sets), Status.PARAMETER_ERROR)
    return application.key_sets[set_no]


def change_key(chip: Chip, ins: int, data: bytes) -> bytes:
    """C4 KeyNo E(…): at card level KeyNo is 80 (an AES master key), which also ends a DES one."""
    plain = chip.unwrap(CommMode.FULL, ins, data, 1)
    require(len(plain) >= 1, Status.LENGTH_ERROR)
    if chip.at_card_level:
        require(plain[0] & 0xC0 == AES_KEY_TYPE, Status.PARAMETER_ERROR)
        require(plain[0] & 0x3F == MASTER_KEY, Status.NO_SUCH_KEY)
        return _change(chip, 0, MASTER_KEY, plain[1:])
    return _change(chip, 0, plain[0], plain[1:])


def change_key_in_set(chip: Chip, ins: int, data: bytes) -> bytes:
    """C6 KeySetNo KeyNo E(…): as C4, for the active set or an initialized one not yet finalized."""
    plain = chip.unwrap(CommMode.FULL, ins, data, 2)
    require(len(plain) >= 2, Status.LENGTH_ERROR)
    set_no, key_no = plain[0], plain[1]
    key_set = _key_set(chip.application, set_no)
    require(set_no == 0 or (key_set.initialized and not key_set.finalized), Status.PERMISSION_DENIED)
    return _change(chip, set_no, key_no, plain[2:])


def _change(chip: Chip, set_no: int, key_no: int, body: bytes) -> bytes:
    session = chip.session
    if session is None:
        raise CardRefusal(Status.AUTHENTICATION_ERROR)
    keys = chip.keys() if set_no == 0 else chip.application.key_sets[set_no].keys
    require(key_no < len(keys), Status.NO_SUCH_KEY)
    _may_change(chip, key_no, session.key_no)
    own = set_no == 0 and key_no == session.key_no
    new_key = _new_key(body, None if own else keys[key_no].value)
    if chip.at_card_level:
        chip.store(replace(chip.state, picc_key=new_key))
    else:
        chip.store_application(chip.application.with_key(set_no, key_no, new_key))
    if own:
        # The key that made this session is gone: the answer carries no MAC and nothing stays authenticated.
        chip.end_session()
        return b""
    return chip.wrap(CommMode.FULL)


def _may_change(chip: Chip, key_no: int, authenticated: int) -> None:
    settings = chip.key_settings
    rule = settings >> 4
    if key_no == MASTER_KEY:
        require(bool(settings & MASTER_KEY_CHANGEABLE), Status.PERMISSION_DENIED)
        require(authenticated == MASTER_KEY, Status.AUTHENTICATION_ERROR)
    elif rule == KEYS_FROZEN:
        raise CardRefusal(Status.PERMISSION_DENIED)
    elif rule == CHANGE_WITH_SAME_KEY:
        require(authenticated == key_no, Status.AUTHENTICATION_ERROR)
    elif key_no == rule:
        require(authenticated == MASTER_KEY, Status.AUTHENTICATION_ERROR)
    else:
        require(authenticated == rule, Status.AUTHENTICATION_ERROR)


def _new_key(body: bytes, old_key: bytes | None) -> CardKey:
    """Own key: New‖Ver. Another: (New⊕Old)‖Ver‖CRC32(New)."""
    if old_key is None:
        require(len(body) == KEY_BYTES + 1, Status.LENGTH_ERROR)
        return CardKey(body[:KEY_BYTES], body[KEY_BYTES])
    require(len(body) == KEY_BYTES + 5, Status.LENGTH_ERROR)
    value = bytes(a ^ b for a, b in zip(body[:KEY_BYTES], old_key, strict=True))
    require(hmac.compare_digest(key_checksum(value), body[KEY_BYTES + 1 :]), Status.INTEGRITY_ERROR)
    return CardKey(value, body[KEY_BYTES])


def initialize_key_set(chip: Chip, ins: int, data: bytes) -> bytes:
    """56 KeySetNo 02: empty a set that is not active and open it for ChangeKeyEV2."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 2, 2)
    application = chip.application
    chip.require_master()
    _key_set(application, plain[0])
    require(plain[0] != 0 and plain[1] == AES_KEY_SET, Status.PARAMETER_ERROR)
    emptied = KeySet(fresh_keys(len(application.keys)), 0, initialized=True, finalized=False)
    chip.store_application(application.with_key_set(plain[0], emptied))
    return chip.wrap(mode)


def finalize_key_set(chip: Chip, ins: int, data: bytes) -> bytes:
    """57 KeySetNo Version: close an initialized set; from now on it may be rolled to."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 2, 2)
    application = chip.application
    chip.require_master()
    key_set = _key_set(application, plain[0])
    require(plain[0] != 0, Status.PARAMETER_ERROR)
    require(key_set.initialized and not key_set.finalized, Status.PERMISSION_DENIED)
    chip.store_application(
        application.with_key_set(plain[0], replace(key_set, version=plain[1], finalized=True))
    )
    return chip.wrap(mode)


def roll_key_set(chip: Chip, ins: int, data: bytes) -> bytes:
    """55 KeySetNo, by the roll key: a finalized set of higher version becomes active; session over."""
    mode = chip.command_mode
    plain = chip.unwrap_exactly(mode, ins, data, 1, 1)
    application = chip.application
    require(application.roll_key is not None, Status.PERMISSION_DENIED)
    session = chip.session
    require(session is not None and session.key_no == application.roll_key, Status.AUTHENTICATION_ERROR)
    target = _key_set(application, plain[0])
    require(plain[0] != 0, Status.PARAMETER_ERROR)
    require(target.finalized and target.version > application.key_sets[0].version, Status.PERMISSION_DENIED)
    sets = application.key_sets
    chip.store_application(replace(application, key_sets=sets[plain[0] :] + sets[: plain[0]]))
    response = chip.wrap(mode)
    chip.end_session()
    return response
