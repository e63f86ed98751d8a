"""What each key of a card may do, and what anyone may do without one: the rights as the virtual card enforces
them on a card our driver personalised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fare.core.desfire import commands, errors, layout
from fare.core.desfire.application import inspect_card, roll_keys, run
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeys
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    KEYS,
    NEWER,
    NEWER_MASTERS,
    RECORD,
    RING,
    UID,
    issued,
    put_back,
    rnd_a,
    under,
)

Said = Callable[[Ev2Session], Conversation[object]]

ENTITLEMENT, VALUE, RECORDS, PROOF = (
    layout.ENTITLEMENT_FILE,
    layout.VALUE_FILE,
    layout.RECORD_FILE,
    layout.PROOF_FILE,
)
FREE, ALL_TO_K1 = b"\xee\xee", b"\x11\x11"
PLAIN, MACED = CommMode.PLAIN, CommMode.MAC
K0, K1, K2 = 0, 1, 2

# Every command that reads, writes or changes anything, and the keys that may say it.
MAY: dict[str, tuple[Said, set[int]]] = {
    "read the entitlement": (lambda s: commands.read_data(s, ENTITLEMENT, 0, 128), {K1, K2}),
    "write the entitlement": (lambda s: commands.write_data(s, ENTITLEMENT, 0, NEWER), {K1, K2}),
    "read the value": (lambda s: commands.get_value(s, VALUE), {K1}),
    "debit": (lambda s: commands.debit(s, VALUE, 1), {K1}),
    "debit nothing": (lambda s: commands.debit(s, VALUE, 0), {K1}),
    "credit": (lambda s: commands.credit(s, VALUE, 1), set()),
    "credit nothing": (lambda s: commands.credit(s, VALUE, 0), set()),
    "limited credit": (lambda s: commands.limited_credit(s, VALUE, 1), set()),
    "read the records": (lambda s: commands.read_all_records(s, RECORDS, 32), {K1}),
    "write a record": (lambda s: commands.write_record(s, RECORDS, 0, RECORD), {K1}),
    "read the proof": (lambda s: commands.read_data(s, PROOF, 0, 12), {K1}),
    "write the proof": (lambda s: commands.write_data(s, PROOF, 0, bytes(12)), set()),
    "name the reader": (lambda s: commands.commit_reader_id(s, bytes(16)), set()),
    "free the entitlement": (lambda s: commands.change_file_settings(s, ENTITLEMENT, PLAIN, FREE), set()),
    "free the value": (lambda s: commands.change_file_settings(s, VALUE, PLAIN, FREE), set()),
    "open the value to k1": (lambda s: commands.change_file_settings(s, VALUE, MACED, ALL_TO_K1), set()),
    "free the records": (lambda s: commands.change_file_settings(s, RECORDS, PLAIN, FREE), set()),
    "free the proof": (lambda s: commands.change_file_settings(s, PROOF, PLAIN, FREE), set()),
    "change k0": (lambda s: commands.change_other_key(s, K0, bytes(16), 9, KEYS.k0), set()),
    "change k1": (lambda s: commands.change_other_key(s, K1, bytes(16), 9, KEYS.k1), {K0}),
    "change k2": (lambda s: commands.change_other_key(s, K2, bytes(16), 9, KEYS.k2), {K0}),
    "change a key of the spare set": (
        lambda s: commands.change_key_in_set(s, 1, K1, bytes(16), 9, bytes(16)),
        {K0},
    ),
    "make a key set": (lambda s: commands.initialize_key_set(s, 1), {K0}),
    "finish a key set": (lambda s: commands.finalize_key_set(s, 1, 9), {K0}),
    "change the key settings": (lambda s: commands.change_key_settings(s, 0x0F), {K0}),
    "create a standard file": (lambda s: commands.create_std_data_file(s, 8, FREE, 16), {K0}),
    "create a backup file": (lambda s: commands.create_backup_data_file(s, 8, FREE, 16), {K0}),
    "create a value file": (lambda s: commands.create_value_file(s, 8, FREE, 0, 9, 9, 0), {K0}),
    "create a cyclic file": (lambda s: commands.create_cyclic_record_file(s, 8, FREE, 16, 3), {K0}),
    "delete the value": (lambda s: commands.delete_file(s, VALUE), {K0}),
    "delete the records": (lambda s: commands.delete_file(s, RECORDS), {K0}),
    "delete the proof": (lambda s: commands.delete_file(s, PROOF), {K0}),
    "format the card": (commands.format_picc, set()),
}  # fmt: skip


def _refused(virtual: VirtualCard, key_no: int, keys: CardKeys, said: Said) -> bool:
    key = (keys.k0, keys.k1, keys.k2)[key_no]
    put_back(virtual)
    try:
        run(under(key_no, key, said), virtual.transmit)
    except (errors.PermissionDenied, errors.AuthenticationFailed, errors.LengthError):
        return True  # a wrong length: k0 changes itself in another shape
    except (errors.NoSuchKey, errors.CommandAborted, errors.ParameterError):
        # A key set that is not being built, say: refused for another reason than the key.
        return key_no != K0
    return False


@pytest.mark.parametrize("key_no", [K1, K2])
def test_a_key_on_the_bus_or_at_a_counter_does_what_its_rights_say_and_no_more(key_no: int) -> None:
    old, _ = issued()
    rolled, _ = issued()
    run(roll_keys(RING, UID, rnd_a), rolled.transmit)
    for virtual, keys in ((old, KEYS), (rolled, CardKeys.for_card(NEWER_MASTERS, UID))):
        put_back(virtual)
        before = run(inspect_card(RING, rnd_a), virtual.transmit)
        wrong = [
            name
            for name, (said, allowed) in MAY.items()
            if _refused(virtual, key_no, keys, said) == (key_no in allowed)
        ]
        assert wrong == []
        put_back(virtual)
        assert run(inspect_card(RING, rnd_a), virtual.transmit) == before


def test_the_issuer_key_builds_and_never_touches_what_is_on_the_card() -> None:
    wrong: list[str] = []
    for name, (said, allowed) in MAY.items():
        virtual, _ = issued()
        if _refused(virtual, K0, KEYS, said) == (K0 in allowed):
            wrong.append(name)
    # A set that was never made can be neither filled nor finished: order, not rights.
    assert wrong == ["change a key of the spare set", "finish a key set"]


PLAIN_PAYLOADS = [
    b"",
    bytes([VALUE]),
    bytes([VALUE]) + (1).to_bytes(4, "little"),
    bytes([ENTITLEMENT]) + bytes(6),
    bytes([ENTITLEMENT]) + bytes(3) + b"\x80\x00\x00" + NEWER,
    bytes([RECORDS]) + bytes(6),
    bytes([RECORDS]) + bytes(3) + b"\x20\x00\x00" + RECORD,
    bytes([PROOF]) + bytes(3) + b"\x0c\x00\x00",
    bytes([1]) + bytes(24),
    b"\x01",
]
# What a card tells anyone: its chip, its applications by selecting them, which generation a key is of, how
# much room it has; Abort forgets nothing where nothing is pending. And anyone may begin to authenticate.
OPEN_TO_ANYONE = {
    0x5A: "SelectApplication",
    0x60: "GetVersion",
    0x64: "GetKeyVersion",
    0x6E: "FreeMemory",
    0xA7: "AbortTransaction",
}
BEGINS_AUTHENTICATION = {0x0A, 0x1A, 0xAA, 0x71, 0x77}


def _plain_commands() -> Iterator[tuple[int, bytes]]:
    for ins in range(256):
        for payload in PLAIN_PAYLOADS:
            length = bytes([len(payload)]) if payload else b""
            yield ins, bytes([0x90, ins, 0, 0]) + length + payload + b"\x00"


def test_nothing_is_read_debited_or_written_without_authentication() -> None:
    virtual, _ = issued()
    put_back(virtual)
    before = run(inspect_card(RING, rnd_a), virtual.transmit)
    put_back(virtual)
    talkative: set[int] = set()
    for ins, apdu in _plain_commands():
        put_back(virtual)
        run(commands.select_application(layout.AID), virtual.transmit)
        answer = virtual.transmit(apdu)
        if ins in BEGINS_AUTHENTICATION:
            continue
        if len(answer) > 2 or answer[-2:] in (b"\x91\x00", b"\x91\xaf"):
            talkative.add(ins)
    assert talkative <= OPEN_TO_ANYONE.keys()
    put_back(virtual)
    assert run(inspect_card(RING, rnd_a), virtual.transmit) == before


def test_nothing_is_read_or_written_by_iso_commands_without_authentication() -> None:
    virtual, _ = issued()
    put_back(virtual)
    run(commands.select_application(layout.AID), virtual.transmit)
    for ins in (0xB0, 0xB1, 0xB2, 0xB3, 0xD6, 0xD7, 0xE2, 0x84, 0x82, 0x88):
        for p1, p2 in ((0, 0), (0x81, 0), (0x83, 0), (0x01, 0x1C), (0x8F, 0)):
            for tail in (b"\x00", b"\x04\x00\x00\x00\x01\x00"):
                answer = virtual.transmit(bytes([0x00, ins, p1, p2]) + tail)
                assert len(answer) == 2
                assert answer != b"\x90\x00"
