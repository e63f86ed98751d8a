"""Commands that concern the card as a whole: selection, version, applications, configuration.

Each command is a function ``(chip, ins, data) -> response data``; it raises :class:`CardRefusal` to refuse.
"""

from __future__ import annotations

from dataclasses import replace

from hardware.emulator.chip import Chip, fresh_keys
from hardware.emulator.kinds import ChipKind, version_frames
from hardware.emulator.session import CommMode, configuration_bytes
from hardware.emulator.state import (
    AID_BYTES,
    FREE_CREATE_DELETE,
    FREE_LISTING,
    KEY_BYTES,
    MASTER_KEY,
    MEMORY_BYTES,
    PICC_AID,
    SETTINGS_CHANGEABLE,
    Application,
    CardKey,
    KeySet,
)
from hardware.emulator.status import Status, require

MAX_KEYS = 14
AES_KEYS = 0x80
DES_KEYS = 0x00
KEY_SETS_FOLLOW = 0x10
MAX_KEY_SETS = 16
DEFAULT_KEY_OPTION = b"\x01"


def select_application(chip: Chip, ins: int, data: bytes) -> bytes:
    """5A: always allowed, never MACed. An unknown AID answers A0 and leaves the card level selected."""
    require(len(data) == AID_BYTES, Status.LENGTH_ERROR)
    known = data == PICC_AID or data in chip.state.applications
    chip.select(data if known else PICC_AID)
    require(known, Status.APPLICATION_NOT_FOUND)
    return b""


def get_version(chip: Chip, ins: int, data: bytes) -> bytes:
    """60: hardware, software and production data; the card sends it in three frames."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    return chip.wrap(mode, b"".join(version_frames(chip.state.kind, chip.state.uid)))


def get_card_uid(chip: Chip, ins: int, data: bytes) -> bytes:
    """51: the UID, enciphered; any key's session will do."""
    chip.unwrap_exactly(CommMode.FULL, ins, data, 0, 0)
    return chip.wrap(CommMode.FULL, chip.state.uid)


def get_application_ids(chip: Chip, ins: int, data: bytes) -> bytes:
    """6A: all AIDs, at card level."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    require(chip.at_card_level, Status.PERMISSION_DENIED)
    if not chip.key_settings & FREE_LISTING:
        chip.require_master()
    return chip.wrap(mode, b"".join(chip.state.applications))


def create_application(chip: Chip, ins: int, data: bytes) -> bytes:
    """CA AID(3) KeySett1 0x80|n, or … 0x90|n 01 AKSVer NoKeySets 10 RollKey for key sets."""
    mode = chip.command_mode
    plain = chip.unwrap(mode, ins, data, 0)
    require(len(plain) >= 5, Status.LENGTH_ERROR)
    require(chip.at_card_level, Status.PERMISSION_DENIED)
    if not chip.key_settings & FREE_CREATE_DELETE:
        chip.require_master()
    aid, key_settings, options = plain[:3], plain[3], plain[4]
    count = options & 0x0F
    require(aid != PICC_AID, Status.PARAMETER_ERROR)
    require(aid not in chip.state.applications, Status.DUPLICATE)
    require(options & 0xE0 == AES_KEYS and 1 <= count <= MAX_KEYS, Status.PARAMETER_ERROR)
    change_key = key_settings >> 4
    require(change_key < count or change_key in (0xE, 0xF), Status.PARAMETER_ERROR)
    active = KeySet((chip.state.default_key,) * count)
    sets: tuple[KeySet, ...] = (active,)
    roll_key: int | None = None
    if options & KEY_SETS_FOLLOW:
        require(chip.state.kind is not ChipKind.EV1, Status.PARAMETER_ERROR)
        sets, roll_key = _declared_key_sets(plain[5:], active)
    else:
        require(len(plain) == 5, Status.LENGTH_ERROR)
    chip.store_application(Application(aid, key_settings, sets, roll_key))
    return chip.wrap(mode)


def _declared_key_sets(extra: bytes, active: KeySet) -> tuple[tuple[KeySet, ...], int]:
    key_count = len(active.keys)
    require(len(extra) == 5, Status.LENGTH_ERROR)
    key_settings_3, active_version, set_count, max_key_bytes, roll_settings = extra
    require(key_settings_3 == 0x01, Status.PARAMETER_ERROR)
    require(2 <= set_count <= MAX_KEY_SETS and max_key_bytes == 0x10, Status.PARAMETER_ERROR)
    require(roll_settings < key_count, Status.PARAMETER_ERROR)
    declared = KeySet(fresh_keys(key_count), 0, initialized=False, finalized=False)
    return (replace(active, version=active_version), *(declared,) * (set_count - 1)), roll_settings


def free_memory(chip: Chip, ins: int, data: bytes) -> bytes:
    """6E: bytes left for applications and files, 3 bytes."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    return chip.wrap(mode, (MEMORY_BYTES - chip.state.used_bytes).to_bytes(3, "little"))


def delete_application(chip: Chip, ins: int, data: bytes) -> bytes:
    """DA AID: by the card's master key, or by the application's own where the card allows free deletion."""
    mode = chip.command_mode
    aid = chip.unwrap_exactly(mode, ins, data, AID_BYTES, AID_BYTES)
    require(aid in chip.state.applications, Status.APPLICATION_NOT_FOUND)
    if not chip.at_card_level:
        require(chip.selected == aid, Status.PERMISSION_DENIED)
        require(bool(chip.state.picc_settings & FREE_CREATE_DELETE), Status.AUTHENTICATION_ERROR)
    chip.require_master()
    chip.store(chip.state.without_application(aid))
    response = chip.wrap(mode)
    if not chip.at_card_level:
        chip.select(PICC_AID)
    return response


def format_card(chip: Chip, ins: int, data: bytes) -> bytes:
    """FC: delete every application; 9D for ever once SetConfiguration disabled it."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    require(chip.at_card_level and not chip.state.format_disabled, Status.PERMISSION_DENIED)
    chip.require_master()
    chip.store(replace(chip.state, applications={}))
    return chip.wrap(mode)


def set_configuration(chip: Chip, ins: int, data: bytes) -> bytes:
    """5C 00 E(flags) or 5C 01 E(key(24) version): disable format, or set the default key; no other option.

    Of the flags only bit 0 (disable format) is taken; bit 1, a random UID, is refused with 9E. Source of
    option 01: libfreefare, ``mifare_desfire_set_default_key``, and liblogicalaccess, ``setConfiguration``.
    """
    plain = chip.unwrap(CommMode.FULL, ins, data, 1)
    require(chip.at_card_level, Status.PERMISSION_DENIED)
    chip.require_master()
    option, value = plain[:1], plain[1:]
    require(len(value) == configuration_bytes(option), Status.LENGTH_ERROR)
    if option == DEFAULT_KEY_OPTION:
        chip.store(replace(chip.state, default_key=CardKey(value[:KEY_BYTES], value[-1])))
        return chip.wrap(CommMode.FULL)
    require(value[0] & ~0x01 == 0, Status.PARAMETER_ERROR)
    # One way: a zero bit leaves an earlier one standing.
    chip.store(replace(chip.state, format_disabled=chip.state.format_disabled or bool(value[0] & 1)))
    return chip.wrap(CommMode.FULL)


def get_key_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    """45: KeySett1 and 0x80|number of keys of what is selected; 0x01 for a card with a DES master key."""
    mode = chip.command_mode
    chip.unwrap_exactly(mode, ins, data, 0, 0)
    if not chip.key_settings & FREE_LISTING:
        chip.require_master()
    kind = DES_KEYS if chip.key(MASTER_KEY).des else AES_KEYS
    return chip.wrap(mode, bytes((chip.key_settings, kind | len(chip.keys()))))


def change_key_settings(chip: Chip, ins: int, data: bytes) -> bytes:
    """54 E(KeySett1): by the master key, while the settings are still changeable."""
    plain = chip.unwrap_exactly(CommMode.FULL, ins, data, 0, 1)
    chip.require_master()
    require(bool(chip.key_settings & SETTINGS_CHANGEABLE), Status.PERMISSION_DENIED)
    settings = plain[0]
    if chip.at_card_level:
        require(settings >> 4 == MASTER_KEY, Status.PARAMETER_ERROR)
        chip.store(replace(chip.state, picc_settings=settings))
    else:
        change_key = settings >> 4
        require(change_key < len(chip.keys()) or change_key in (0xE, 0xF), Status.PARAMETER_ERROR)
        chip.store_application(replace(chip.application, key_settings=settings))
    return chip.wrap(CommMode.FULL)
