"""Three COSE libraries that nobody here wrote accept both levels of our tickets, and no changed byte.

cwt and pycose from Python, @auth0/cose under Node. COSE_Sign1 is tag 18, which tickets leave out.
"""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cbor2
import cwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSEKey
from pycose.algorithms import EdDSA, Es256
from pycose.keys.curves import P256, Ed25519
from pycose.keys.ec2 import EC2Key
from pycose.keys.okp import OKPKey
from pycose.messages.sign1message import Sign1Message

from fare.core.proof import mc1, mp1
from fare.core.proof.mc1 import EntitlementClaims
from tests.core.proof.mc1_oracle import ISSUER, KID, NOW_S, PHONE, phone_signature
from tests.core.proof.mp1_oracle import GOLDEN as PAPER_GOLDEN

HERE = Path(__file__).parent
OTHER_PHONE = ec.derive_private_key(0x0DD, ec.SECP256R1())
ISSUER_PUBLIC = ISSUER.public_key().public_bytes_raw()


@dataclass(frozen=True)
class Level:
    """One COSE_Sign1 of a ticket as our code made it, and who must have signed it."""

    name: str
    message: bytes
    payload: bytes
    aad: bytes
    phone: ec.EllipticCurvePublicKey | None

    @property
    def tagged(self) -> bytes:
        return b"\xd2" + self.message


def payload_of(message: bytes) -> bytes:
    payload: bytes = cbor2.loads(message)[2]
    return payload


def tickets() -> list[Level]:
    levels: list[Level] = []
    for name, phone, pax, challenge in (
        ("plain", PHONE, 1, None),
        ("with a challenge", PHONE, 2, b"inspect!"),
        ("another phone", OTHER_PHONE, 9, None),
    ):
        point = phone.public_key().public_numbers()
        claims = EntitlementClaims(
            NOW_S + 3600, NOW_S - 60, b"cti-8byt", point.x.to_bytes(32), bool(point.y & 1), 3, 40, 400
        )
        entitlement = mc1.sign_entitlement(claims, ISSUER, KID)
        proof = mc1.encode_proof(entitlement, NOW_S, 9, pax, challenge)
        text = mc1.encode_ticket(proof, phone_signature(phone, mc1.proof_to_sign(proof)))
        token = mc1.decode_ticket(text).raw
        levels.append(Level(f"{name}: phone", token, proof, b"MC1", phone.public_key()))
        levels.append(Level(f"{name}: ledger", entitlement, payload_of(entitlement), b"MC1", None))
    for golden in PAPER_GOLDEN["tickets"][:3]:
        raw = mp1.decode_paper(golden["text"]).raw
        levels.append(Level(f"paper {golden['name']}", raw, payload_of(raw), b"MP1", None))
    return levels


LEVELS = tickets()


def coordinates(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    point = key.public_numbers()
    return point.x.to_bytes(32), point.y.to_bytes(32)


def ask_cwt(level: Level, message: bytes, aad: bytes) -> bytes | None:
    if level.phone is None:
        key = COSEKey.new({1: 1, 2: KID, 3: -8, -1: 6, -2: ISSUER_PUBLIC})
    else:
        x, y = coordinates(level.phone)
        key = COSEKey.new({1: 2, 3: -7, -1: 1, -2: x, -3: y})
    try:
        payload: bytes = cwt.COSE.new().decode(message, key, external_aad=aad)
    except cwt.VerifyError:
        return None
    return payload


def ask_pycose(level: Level, message: bytes, aad: bytes) -> bytes | None:
    read = cast("Any", Sign1Message.decode(message))
    read.external_aad = aad
    if level.phone is None:
        assert read.phdr_encoded == bytes.fromhex("a20127044101")
        read.key = OKPKey(crv=Ed25519, x=ISSUER_PUBLIC, optional_params={"ALG": EdDSA})
    else:
        assert read.phdr_encoded == bytes.fromhex("a10126")
        x, y = coordinates(level.phone)
        read.key = EC2Key(crv=P256, x=x, y=y, optional_params={"ALG": Es256})
    return read.payload if read.verify_signature() else None


def with_a_flipped_bit(level: Level, at: int) -> bytes:
    changed = bytearray(level.tagged)
    changed[at] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("ask", [ask_cwt, ask_pycose])
def test_a_python_library_accepts_both_levels_and_no_change(ask: object) -> None:
    assert callable(ask)
    for level in LEVELS:
        assert ask(level, level.tagged, level.aad) == level.payload, level.name
        assert ask(level, level.tagged, b"") is None, level.name
        assert ask(level, level.tagged, b"MP1" if level.aad == b"MC1" else b"MC1") is None, level.name
        for at in (-1, -64, -70):  # the ends of the signature, and the payload
            assert ask(level, with_a_flipped_bit(level, at), level.aad) is None, level.name


def test_an_npm_library_accepts_both_levels_and_no_change() -> None:
    asked: list[dict[str, object]] = []
    expected: list[str | None] = []
    for level in LEVELS:
        for message, aad, payload in (
            (level.tagged, level.aad, level.payload.hex()),
            (level.tagged, b"", None),
            (with_a_flipped_bit(level, -1), level.aad, None),
            (with_a_flipped_bit(level, -70), level.aad, None),
        ):
            asked.append({"cose": message.hex(), "aad": aad.hex(), "jwk": jwk(level)})
            expected.append(payload)
    done = subprocess.run(
        ["node", str(HERE / "verify_with_auth0.mjs")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def jwk(level: Level) -> dict[str, str]:
    def text(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    if level.phone is None:
        return {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": text(ISSUER_PUBLIC)}
    x, y = coordinates(level.phone)
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": text(x), "y": text(y)}
