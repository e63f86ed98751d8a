"""Every published vector, computed by the product's own functions, and its twin with one input bit off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fare.core.desfire import crypto, transaction_mac
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first, authenticate_ev2_non_first
from fare.core.desfire.errors import CardFault
from fare.core.desfire.frames import Conversation, run, send_frame
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import CommMode
from tests.core.desfire.card_vectors import SECOND_READING, VECTORS, flipped

IDS = [
    "rfc4493-len0", "rfc4493-len16", "rfc4493-len40", "rfc4493-len64", "an12343-p16-truncate",
    "an12343-p16-cmd-mac", "an10922-aes128", "lla-av2-short-input", "an12343-p33-session",
    "pm3-nonzero-session", "an12196-t14-authfirst-key0", "an12196-t23-authnonfirst-key0",
    "an12196-t7-getfilesettings", "an12343-p54-writedata-mac", "an12196-t17-writedata-full",
    "an12196-t18-changefilesettings", "an12196-t25-changekey-other", "an12196-t26-changekey-same",
    "an12196-t27-setconfiguration", "an12343-p15-getcarduid", "an12343-p57-readdata-full-cmd",
    "an12343-p83-createtmacfile", "an12343-p64-commitreaderid-resp", "pm3-iv-1", "dumacp-cmdmac", "pm3-tm-1",
    "sdk-tm-1", "sdk-tm-3", "sdk-tmv-1", "sdk-tm-readerid",
]  # fmt: skip

Hexes = dict[str, str]


def _raw(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector.get(name, ""))


def _session(given: dict[str, Any]) -> Ev2Session:
    enc = _raw(given, "ses_auth_enc") or bytes(16)
    return Ev2Session(_raw(given, "ti"), given["cmd_ctr"], enc, _raw(given, "ses_auth_mac"))


def _apdu(ins: int, payload: bytes) -> bytes:
    return next(send_frame(ins, payload))


def _cmac(given: dict[str, Any], expected: Hexes) -> Hexes:
    return {"cmac": crypto.cmac(_raw(given, "key"), _raw(given, "message")).hex()}


def _truncate(given: dict[str, Any], expected: Hexes) -> Hexes:
    return {"mact": crypto.truncate(_raw(given, "full")).hex()}


def _diversify(given: dict[str, Any], expected: Hexes) -> Hexes:
    return {"diversified": crypto.diversify(_raw(given, "master"), _raw(given, "div_input")).hex()}


def _session_keys(given: dict[str, Any], expected: Hexes) -> Hexes:
    enc, mac = crypto.session_keys(_raw(given, "key"), _raw(given, "rnd_a"), _raw(given, "rnd_b"))
    return {"ses_auth_enc": enc.hex(), "ses_auth_mac": mac.hex()}


def _authentication(given: dict[str, Any], start: Conversation[Ev2Session], expected: Hexes) -> Hexes:
    """Play the card's two answers; the session keys show in the MAC the session then makes."""
    sent: list[bytes] = []
    answers = iter((_raw(given, "rapdu1"), _raw(given, "rapdu2")))

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return next(answers)

    session = run(start, transmit)
    assert sent[0] == _raw(given, "capdu1")
    twin = Ev2Session(
        session.ti, session.cmd_ctr, _raw(expected, "ses_auth_enc"), _raw(expected, "ses_auth_mac")
    )
    probe = (0x8D, b"\x01", b"what the keys make of this", CommMode.FULL)
    same_keys = session.wrap(*probe) == twin.wrap(*probe)
    shown = expected["ses_auth_mac"] if same_keys else "other keys"
    return {"capdu2": sent[1].hex(), "ti": session.ti.hex(), "ses_auth_mac": shown}


def _auth_first(given: dict[str, Any], expected: Hexes) -> Hexes:
    start = authenticate_ev2_first(given["key_no"], SecretKey(_raw(given, "key")), _raw(given, "rnd_a"))
    return _authentication(given, start, expected)


def _auth_non_first(given: dict[str, Any], expected: Hexes) -> Hexes:
    running = Ev2Session(
        _raw(VECTORS["an12196-t23-authnonfirst-key0"]["expected"], "ti"), 2, bytes(16), bytes(16)
    )
    start = authenticate_ev2_non_first(
        running, given["key_no"], SecretKey(_raw(given, "key")), _raw(given, "rnd_a")
    )
    result = _authentication(given, start, expected)
    assert not running.alive
    return result


def _command(given: dict[str, Any], expected: Hexes) -> Hexes:
    """MAC and full mode, the command and, where published, the answer."""
    full = "data" in given and "ses_auth_enc" in given
    mode = CommMode.FULL if full else CommMode.MAC
    header = _raw(given, "header_and_data") or _raw(given, "header")
    ins = int(given["cmd"], 16)
    session = _session(given)
    payload = session.wrap(ins, header, _raw(given, "data"), mode)
    result = {"mact": payload[-8:].hex(), "capdu": _apdu(ins, payload).hex()}
    if full:
        iv = crypto.command_iv(_raw(given, "ses_auth_enc"), _raw(given, "ti"), given["cmd_ctr"])
        result |= {"ciphertext": payload[len(header) : -8].hex(), "iv_cmd": iv.hex()}
    if "resp_mact" in expected:
        body = _raw(expected, "resp_data") or _raw(expected, "resp_ciphertext")
        result["resp_plain"] = session.unwrap(ins, body + _raw(expected, "resp_mact"), mode).hex()
    return result


def _command_mac(given: dict[str, Any], expected: Hexes) -> Hexes:
    return {"mact": _command(given, expected)["mact"]}


def _response_decrypt(given: dict[str, Any], expected: Hexes) -> Hexes:
    iv = crypto.response_iv(_raw(given, "ses_auth_enc"), _raw(given, "ti"), given["cmd_ctr_after"])
    plain = crypto.cbc_decrypt(_raw(given, "ses_auth_enc"), _raw(given, "ciphertext"), iv)
    return {"plaintext": plain.hex()}


def _command_iv(given: dict[str, Any], expected: Hexes) -> Hexes:
    return {"iv": crypto.command_iv(_raw(given, "ses_auth_enc"), _raw(given, "ti"), given["cmd_ctr"]).hex()}


def _tm_keys(given: dict[str, Any], expected: Hexes) -> Hexes:
    key, uid, tmc = _raw(given, "app_tm_key"), _raw(given, "uid"), given["tmc_reported"]
    return {
        "ses_tm_mac": transaction_mac.session_mac_key(key, uid, tmc).hex(),
        "ses_tm_enc": transaction_mac.session_enc_key(key, uid, tmc).hex(),
    }


def _tm_value(given: dict[str, Any], expected: Hexes) -> Hexes:
    # 33 bytes, so no well-formed DESFire input: it proves the CMAC and its truncation, not the steps.
    tmi = _raw(given, "tmi")
    assert len(tmi) == given["tmi_len"]
    return {"tmv": transaction_mac.tmv_under(_raw(given, "ses_tm_mac"), tmi).hex()}


def _reader_id(given: dict[str, Any], expected: Hexes) -> Hexes:
    key, enciphered = _raw(given, "ses_tm_enc"), _raw(given, "enc_tmri")
    return {"tmri_prev": transaction_mac.decipher_reader_id(key, enciphered).hex()}


COMPUTE: dict[str, Callable[[dict[str, Any], Hexes], Hexes]] = {
    "aes_cmac": _cmac,
    "mac_truncate": _truncate,
    "ev2_cmd_mac": _command_mac,
    "an10922_aes128": _diversify,
    "ev2_session_keys": _session_keys,
    "ev2_auth_first": _auth_first,
    "ev2_auth_nonfirst": _auth_non_first,
    "ev2_commmode_mac": _command,
    "ev2_commmode_full": _command,
    "ev2_resp_decrypt": _response_decrypt,
    "ev2_cmd_iv": _command_iv,
    "tmac_session_keys": _tm_keys,
    "tmac_value": _tm_value,
    "tmac_readerid_decrypt": _reader_id,
}
# Helper fields of the file that repeat what other inputs say, and are not inputs of a computation.
HELPERS = {"sv1", "sv2", "mac_input", "resp_mac_input", "iv_input", "capdu1", "key_no", "tmi_len"}


def _matches(computed: Hexes, expected: Hexes) -> bool:
    shared = computed.keys() & expected.keys()
    assert shared, "a vector must compare at least one value"
    return all(computed[name].lower() == expected[name].lower() for name in shared)


def _one_bit_off(value: Any) -> Any:
    if isinstance(value, int):
        return value ^ 1
    raw = bytes.fromhex(value)
    return flipped(raw, 8 * (len(raw) - 1)).hex()


def test_the_file_holds_exactly_the_vectors_this_test_knows() -> None:
    assert list(VECTORS) == IDS
    assert {vector["kind"] for vector in VECTORS.values()} == COMPUTE.keys()


@pytest.mark.parametrize("name", IDS)
def test_vector_is_reproduced(name: str) -> None:
    vector = VECTORS[name]
    assert _matches(COMPUTE[vector["kind"]](vector["input"], vector["expected"]), vector["expected"])


def _twins() -> list[tuple[str, str]]:
    twins: list[tuple[str, str]] = []
    for name in IDS:
        given = VECTORS[name]["input"]
        # RndB is inside the enciphered answers of an authentication, not an input beside them.
        skipped = HELPERS | ({"rnd_b"} if "rapdu1" in given else set())
        twins += [(name, field) for field, value in given.items() if value != "" and field not in skipped]
    return twins


@pytest.mark.parametrize(("name", "field"), _twins())
def test_one_bit_off_in_an_input_is_noticed(name: str, field: str) -> None:
    vector = VECTORS[name]
    value = vector["input"][field]
    # The last bytes of a card's answer are its status; the first are what it proves.
    changed = flipped(bytes.fromhex(value)).hex() if field.startswith("rapdu") else _one_bit_off(value)
    try:
        computed = COMPUTE[vector["kind"]](vector["input"] | {field: changed}, vector["expected"])
    except CardFault:
        return
    assert not _matches(computed, vector["expected"])


def test_one_bit_off_in_an_expected_value_is_noticed() -> None:
    for name in IDS:
        vector = VECTORS[name]
        computed = COMPUTE[vector["kind"]](vector["input"], vector["expected"])
        for field in computed.keys() & vector["expected"].keys():
            right = bytes.fromhex(vector["expected"][field])
            for bit in range(8 * len(right)):
                wrong = vector["expected"] | {field: flipped(right, bit).hex()}
                assert not _matches({field: computed[field]}, {field: wrong[field]}), (name, field, bit)


def test_one_bit_off_in_an_answers_body_ends_the_session() -> None:
    tried = 0
    for name in ANSWERED:
        vector = VECTORS[name]
        for field in ("resp_data", "resp_ciphertext"):
            right = _raw(vector["expected"], field)
            for bit in range(8 * len(right)):
                wrong = vector["expected"] | {field: flipped(right, bit).hex()}
                with pytest.raises(CardFault, match="altered"):
                    COMPUTE[vector["kind"]](vector["input"], wrong)
                tried += 1
    assert tried > 100


def test_a_published_session_has_a_key_that_is_not_zero() -> None:
    """An all-zero self-test hid a wrong derivation elsewhere for years."""
    nonzero = VECTORS["pm3-nonzero-session"]["input"]
    assert len(set(_raw(nonzero, "key"))) > 1
    assert nonzero["rnd_a"] != nonzero["rnd_b"]


ANSWERED = [name for name in IDS if "resp_mact" in VECTORS[name]["expected"]]


def test_one_bit_off_in_an_answers_mac_ends_the_session() -> None:
    for name in ANSWERED:
        vector = VECTORS[name]
        for bit in range(64):
            wrong = flipped(_raw(vector["expected"], "resp_mact"), bit).hex()
            with pytest.raises(CardFault, match="altered"):
                COMPUTE[vector["kind"]](vector["input"], vector["expected"] | {"resp_mact": wrong})


def test_second_reading_of_the_transaction_mac_agrees_with_ours() -> None:
    reading = SECOND_READING["second-reading-tmv-1"]
    tmi = (
        transaction_mac.get_value_step(0x02, 50_000)
        + transaction_mac.debit_step(0x02, 12_000)
        + transaction_mac.write_record_step(0x04, 0, bytes(range(32)))
    )
    key, uid = _raw(reading, "app_tm_key"), _raw(reading, "uid")
    assert tmi == _raw(reading, "tmi")
    assert transaction_mac.tmv(key, uid, 7, tmi) == _raw(reading, "tmv")
    assert transaction_mac.tmv(key, uid, 7, flipped(tmi)) != _raw(reading, "tmv")
    assert transaction_mac.tmv(key, uid, 6, tmi) != _raw(reading, "tmv")
