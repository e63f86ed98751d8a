from __future__ import annotations

import io
import random
import secrets
from collections import Counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from fare.core import base45
from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from tests.qr.degrading import cracked_anywhere, degraded, read_by_both
from tests.web.rider_page.ledger import KID, b64, unb64
from tests.web.rider_page.phone import Phone, assert_drawn_well

TOKENS = 60
TURNED = 24
NOW_S = 1_795_000_000
LEAST_SHARE = 0.95

KEYS = """async (count) => {
  window.mc1 = await import("/rider/static/mc1.js");
  window.drawing = await import("/rider/static/code.js");
  const { toBase64Url } = await import("/rider/static/bytes.js");
  window.pairs = [];
  const p256 = { name: "ECDSA", namedCurve: "P-256" };
  for (let made = 0; made < count; made += 1)
    pairs.push(await crypto.subtle.generateKey(p256, false, ["sign", "verify"]));
  const points = await Promise.all(pairs.map((pair) => crypto.subtle.exportKey("raw", pair.publicKey)));
  return points.map((point) => toBase64Url(new Uint8Array(point)));
}"""
TEXTS = """async (rides) => {
  const { fromBase64Url } = await import("/rider/static/bytes.js");
  const es256 = { name: "ECDSA", hash: "SHA-256" };
  const text = ({ entitlement, ts_s, ctr, pax }, place) => {
    const key = pairs[place].privateKey;
    const sign = async (bytes) => new Uint8Array(await crypto.subtle.sign(es256, key, bytes));
    return mc1.ticketText(fromBase64Url(entitlement), sign, ts_s, ctr, pax);
  };
  return Promise.all(rides.map(text));
}"""
DRAW = """([text, quarters]) => {
  document.body.dataset.view = "code"; // white around
  if (!window.shown) {
    document.body.replaceChildren((window.shown = document.createElement("canvas")));
    shown.id = "shown";
  }
  drawing.draw(shown, drawing.codeOf(text), document.documentElement.clientWidth, quarters);
}"""


def entitlement(issuer: Ed25519PrivateKey, point: bytes, chance: random.Random) -> bytes:
    """As the ledger signs one for a phone's key; every field of another length now and then."""
    claims = EntitlementClaims(
        expires_at_s=NOW_S + chance.randint(3_600, 200_000),
        issued_at_s=NOW_S - chance.randint(0, 3_600),
        cti=secrets.token_bytes(8),
        public_x=point[1:33],
        public_y_odd=bool(point[64] & 1),
        product=chance.choice((0, 23, 24, 255, 256, 65_535)),
        max_taps=255,
        max_fare_rial=chance.choice((0, 20_000, 35_000, 70_000, 4_000_000)),
    )
    return sign_entitlement(claims, issuer, KID)


def test_sixty_tokens_of_the_page_are_genuine_and_decode_clean_and_degraded(phone: Phone) -> None:
    chance, issuer = random.Random(4), Ed25519PrivateKey.generate()
    phone.open()
    points = [unb64(text) for text in phone.page.evaluate(KEYS, TOKENS)]
    rides: list[dict[str, Any]] = [
        {
            "entitlement": b64(entitlement(issuer, point, chance)),
            "ts_s": NOW_S + place,
            "ctr": chance.choice((1, 9, 23, 24, 200, 247)),
            "pax": chance.randint(1, 9),
        }
        for place, point in enumerate(points)
    ]
    texts: list[str] = phone.page.evaluate(TEXTS, rides)
    read: Counter[tuple[str, str]] = Counter()
    for place, (text, ride) in enumerate(zip(texts, rides, strict=True)):
        ticket = examine(text, {KID: issuer.public_key()}, ride["ts_s"], True, lambda _cti: False)
        assert not isinstance(ticket, TicketRefusal), ticket
        assert (ticket.ctr, ticket.pax, ticket.ts_s) == (ride["ctr"], ride["pax"], ride["ts_s"])
        assert b64(ticket.entitlement.raw) == ride["entitlement"]
        picture = drawn(phone, text)
        assert_drawn_well(picture)
        for name, seen in degraded(picture, seed=place).items():
            by_zxing, by_zbar = read_by_both(seen)
            read[name, "zxing-cpp"] += by_zxing == text
            read[name, "zbar"] += by_zbar == text
    table = "\n".join(
        f"{name:13} {decoder:10} {read[name, decoder]}/{TOKENS}" for name, decoder in sorted(read)
    )
    assert min(read.values()) >= LEAST_SHARE * TOKENS, f"not read often enough:\n{table}"
    assert len(read) == 12, table


def test_a_code_that_turns_is_read_behind_cracks_through_its_eyes(phone: Phone) -> None:
    phone.open()
    phone.page.evaluate(KEYS, 0)
    chance = random.Random(11)
    still: Counter[str] = Counter()
    turning: Counter[str] = Counter()
    for place in range(TURNED):
        text = "MC1:" + "".join(chance.choices(base45.ALPHABET, k=363))
        unread = {"zxing-cpp", "zbar"}
        for quarters in range(4):
            seen = cracked_anywhere(drawn(phone, text, quarters), place)
            for decoder, told in zip(("zxing-cpp", "zbar"), read_by_both(seen), strict=True):
                if told == text:
                    unread.discard(decoder)
            if quarters == 0:
                still.update({"zxing-cpp", "zbar"} - unread)
            if not unread:
                break
        turning.update({"zxing-cpp", "zbar"} - unread)
    table = f"of {TURNED} codes, standing still {dict(still)}, turning {dict(turning)}"
    assert min(turning.values()) >= LEAST_SHARE * TURNED, table
    assert min(still.values()) < min(turning.values()), f"the turn is for nothing: {table}"


def drawn(phone: Phone, text: str, quarters: int = 0) -> Image.Image:
    """What the page draws of a text, as a camera sees it."""
    phone.page.evaluate(DRAW, [text, quarters])
    return Image.open(io.BytesIO(phone.page.locator("#shown").screenshot()))


def test_base45_is_the_core_s_own(phone: Phone) -> None:
    phone.open()
    samples = [b"", b"\x00", b"AB", b"Hello!!", b"base-45", b"ietf!", b"\xff\xff", bytes(range(256))]
    written = phone.page.evaluate(
        """async (samples) => {
          const { base45 } = await import("/rider/static/mc1.js");
          return samples.map((bytes) => base45(Uint8Array.from(bytes)));
        }""",
        [list(sample) for sample in samples],
    )
    assert written == [base45.encode(sample) for sample in samples]


def test_a_text_beyond_version_twelve_is_refused_and_not_drawn_finer(phone: Phone) -> None:
    phone.open()
    drawn = """async (length) => {
      const { codeOf } = await import("/rider/static/code.js");
      try {
        codeOf("A".repeat(length));
        return "drawn";
      } catch {
        return "refused";
      }
    }"""
    # ISO/IEC 18004: 419 alphanumeric characters at 12-M.
    assert [phone.page.evaluate(drawn, length) for length in (384, 419, 420)] == ["drawn", "drawn", "refused"]
