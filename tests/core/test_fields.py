"""An integer is written in one way: `true`, `1.0` and "1" are not the 1 of any document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import device_request, kit
from fare.core.batch import decode_acknowledgement, decode_batch
from fare.core.bundle import decode_bundle
from fare.core.desfire.keys import ValidatorKeys
from fare.core.errors import MalformedDocument
from fare.core.signed import REQUEST, canonical, seal
from fare.core.tap import decode_tap

GOLDEN = Path(__file__).parent.parent / "golden"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KIT = kit.Kit(7, "http://ledger", {1: KEY.public_key()}, "c" * 32, ValidatorKeys({1: bytes(16)}, b"MANCARD"))
SAM_KIT = kit.Kit(1, KIT.ledger_url, KIT.bundle_keys, "c", kit.SamKeys("slot 0", {1: 1}, b"MANCARD"))


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def payloads() -> Iterator[tuple[str, bytes, Callable[[bytes], object]]]:
    for name, tap in golden("tap").items():
        if isinstance(tap, dict):
            yield f"tap {name}", bytes.fromhex(cast("dict[str, str]", tap)["hex"]), decode_tap
    for name, decode in (
        ("batch", decode_batch),
        ("acknowledgement", decode_acknowledgement),
        ("bundle", decode_bundle),
    ):
        yield name, bytes.fromhex(golden(name)["payload_hex"]), decode
    yield "request", canonical([7, 1, "GET", "/v1/bundle", bytes(16)]), _open_request


def _open_request(payload: bytes) -> object:
    header = base64.urlsafe_b64encode(seal(REQUEST, payload, 0, KEY)).decode()
    return device_request.open_request(header, KEY.public_key())


def lookalikes(value: object) -> Iterator[object]:
    """The document with one of its integers, a key or a value, written as something that reads as it."""
    if type(value) is int:
        yield str(value)
        if value == float(value):
            yield float(value)
        if value in (0, 1):
            yield bool(value)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        for at, item in enumerate(items):
            for other in lookalikes(item):
                yield [*items[:at], other, *items[at + 1 :]]
    elif isinstance(value, dict):
        fields = cast("dict[object, object]", value)
        for key, item in fields.items():
            rest = {name: held for name, held in fields.items() if name != key}
            for other in lookalikes(key):
                yield {other: item, **rest}
            for other in lookalikes(item):
                yield {key: other, **rest}


def test_what_only_equals_an_integer_is_refused_wherever_one_is_due() -> None:
    for name, payload, decode in payloads():
        decode(payload)
        tried = 0
        for other in lookalikes(cbor2.loads(payload)):
            tried += 1
            with pytest.raises(MalformedDocument):
                pytest.fail(f"{name}: {decode(canonical(other))} was read from {other}")
        assert tried > 4, name


def test_a_kit_is_read_as_strictly() -> None:
    for one in (KIT, SAM_KIT):
        documents = {name: json.loads(text) for name, text in one.encode().items()}
        for name, document in documents.items():
            for other in lookalikes(document):
                raw = {held: json.dumps(documents[held]).encode() for held in documents}
                raw[name] = json.dumps(other).encode()
                with pytest.raises(kit.MalformedKit) as raised:
                    pytest.fail(f"{kit.decode(raw[kit.KIT_FILE], raw[kit.CARD_KEYS_FILE])} from {other}")
                assert raised.value.file == name
