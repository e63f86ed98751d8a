"""The virtual phone against the golden ticket, byte for byte, and against outside readers."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from hardware.emulator.phone import PhoneError, VirtualPhone, base45
from tests.hardware.emulator.card_vectors import qr_vectors, raw

GOLDEN = qr_vectors("mancard_mc1")
BASE45_VECTORS = qr_vectors("base45")["valid"]


def golden_phone() -> VirtualPhone:
    phone = VirtualPhone.from_scalar(int(GOLDEN["device_p256_d"], 16))
    phone.hold(raw(GOLDEN["entitlement_hex"]))
    return phone


def test_the_golden_ticket_is_regenerated_byte_for_byte() -> None:
    phone, proof = golden_phone(), GOLDEN["proof"]
    arguments = (proof["ts"], proof["ctr"], proof["pax"])
    assert phone.ticket(*arguments, deterministic=True) == raw(GOLDEN["token_hex"])
    assert phone.ticket_text(*arguments, deterministic=True) == GOLDEN["text"]
    assert phone.ticket_text(proof["ts"] + 1, *arguments[1:], deterministic=True) != GOLDEN["text"]


def test_the_public_key_is_the_one_in_the_golden_entitlement() -> None:
    x, y = golden_phone().public_key_xy
    key = cbor2.loads(cbor2.loads(raw(GOLDEN["entitlement_hex"]))[2])[8][1]
    assert x == key[-2]
    assert bool(y[-1] & 1) == key[-3]


def signature_holds(phone: VirtualPhone, token: bytes, aad: bytes) -> bool:
    protected, unprotected, payload, signature = cbor2.loads(token)
    assert (protected, unprotected, len(signature)) == (raw("a10126"), {}, 64)
    x, y = (int.from_bytes(part, "big") for part in phone.public_key_xy)
    public_key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    der = encode_dss_signature(*(int.from_bytes(signature[at : at + 32], "big") for at in (0, 32)))
    to_sign = cbor2.dumps(["Signature1", protected, aad, payload])
    try:
        public_key.verify(der, to_sign, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def test_a_fresh_phone_signs_for_its_own_key_and_context() -> None:
    phone, other = VirtualPhone.new(), VirtualPhone.new()
    phone.hold(raw(GOLDEN["entitlement_hex"]))
    token = phone.ticket(1_790_003_600, 8, 2, b"\x01" * 8)
    proof = cbor2.loads(cbor2.loads(token)[2])
    assert proof[1:] == [1_790_003_600, 8, 2, b"\x01" * 8]
    assert signature_holds(phone, token, b"MC1")
    assert not signature_holds(phone, token, b"")
    assert not signature_holds(other, token, b"MC1")


@pytest.mark.parametrize("case", BASE45_VECTORS, ids=[case["text"] for case in BASE45_VECTORS])
def test_base45(case: dict[str, str]) -> None:
    assert base45(raw(case["hex"])) == case["text"]


def test_what_a_phone_cannot_do() -> None:
    phone = VirtualPhone.new()
    with pytest.raises(PhoneError, match="holds no entitlement"):
        phone.ticket_text(0, 1)
    for junk in (b"", b"\x01", b"\x84", b"junk"):
        with pytest.raises(PhoneError, match="not an entitlement"):
            phone.hold(junk)
    phone.hold(raw(GOLDEN["entitlement_hex"]))
    with pytest.raises(PhoneError, match="8 bytes, not 7"):
        phone.ticket_text(0, 1, challenge=bytes(7))


def test_a_phone_survives_its_file(tmp_path: Path) -> None:
    phone = golden_phone()
    path = phone.save(tmp_path / "phones", "p1")
    assert path.stat().st_mode & 0o777 == 0o600
    again = VirtualPhone.load(tmp_path / "phones", "p1")
    assert again.ticket(1, 1, deterministic=True) == phone.ticket(1, 1, deterministic=True)
    empty = VirtualPhone.new()
    empty.save(tmp_path, "p2")
    loaded = VirtualPhone.load(tmp_path, "p2")
    assert (loaded.public_key_xy, loaded.entitlement) == (empty.public_key_xy, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no phone"),
        ("{", "is not a phone"),
        ('{"format": "x"}', "format"),
        ('{"format": "mancard-virtual-phone-1"}', "private_key"),
        ('{"format": "mancard-virtual-phone-1", "private_key": "' + "00" * 32 + '"}', "no valid key"),
    ],
)
def test_a_spoilt_phone_is_named_in_one_sentence(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "p.phone.json").write_text(content)
    with pytest.raises(PhoneError, match=reason):
        VirtualPhone.load(tmp_path, "p")


def test_a_phone_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.phone.json").mkdir()
    with pytest.raises(PhoneError, match="cannot be read"):
        VirtualPhone.load(tmp_path, "p")
