"""`mancard qr`: what a developer or an inspector types, and one sentence for everything that is no ticket."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from fare.cli import main
from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
from fare.core.proof.mp1 import PaperClaims, sign_paper
from fare.qr.rendering import as_png, draw
from hardware.emulator.phone import VirtualPhone
from tests.qr.degrading import read_by_both
from tests.qr.test_rendering import drawn_blocks, drawn_svg

GOLDEN = json.loads((Path(__file__).parent.parent / "vectors/qr.json").read_text())["mancard_mc1"]
TEXT, NOW_S = GOLDEN["text"], GOLDEN["now"]
ISSUER = f"{GOLDEN['kid']}={GOLDEN['issuer_pub']}"
CHANNEL = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\7")
OURS = f"05={CHANNEL.public_key().public_bytes_raw().hex()}"
CHALLENGE = bytes(range(8))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def qr(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `mancard qr …` where there is no ledger; `stdin` are the bytes of standard input."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path / "state"))

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            main(("qr", *arguments))
        told = capfd.readouterr()
        assert isinstance(left.value.code, int)
        assert "Traceback" not in told.err
        assert not (tmp_path / "state").exists(), "no ledger, and no fault to write down"
        return left.value.code, told.out, told.err

    return run


def a_phone_ticket(challenge: bytes | None = CHALLENGE, pax: int = 2) -> str:
    device = VirtualPhone.from_scalar(9)
    x, y = device.public_key_xy
    claims = EntitlementClaims(NOW_S + 3600, NOW_S, bytes(8), x, bool(y[-1] & 1), 1, 10, 35_000)
    device.hold(sign_entitlement(claims, CHANNEL, b"\5"))
    return device.ticket_text(NOW_S + 10, 3, pax, challenge)


def a_paper_ticket(vehicle: str | None) -> str:
    return sign_paper(PaperClaims(NOW_S + 3600, NOW_S, bytes(8), 1, 35_000, vehicle), CHANNEL, b"\5")


def verify(qr: Run, text: str, *more: str, at_s: int = NOW_S + 10, issuer: str = OURS) -> tuple[int, str]:
    status, out, err = qr("verify", "--at", str(at_s), "--issuer", issuer, *more, text)
    assert err == ""
    return status, out


def test_show_draws_what_both_decoders_read(qr: Run, tmp_path: Path) -> None:
    status, out, _ = qr("show", "-", "--png", "a.png", "--svg", "a.svg", stdin=TEXT.encode() + b"\r\n")
    assert (status, out) == (0, "a.png and a.svg: version 11, level M.\n")
    assert read_by_both(Image.open(tmp_path / "a.png").convert("L")) == (TEXT, TEXT)
    assert read_by_both(drawn_svg((tmp_path / "a.svg").read_text())) == (TEXT, TEXT)
    status, out, _ = qr("show", TEXT)
    assert (status, read_by_both(drawn_blocks(out))) == (0, (TEXT, TEXT))


def test_decode_tells_every_field_and_what_was_not_checked(qr: Run, tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(as_png(draw(TEXT)))
    status, out, _ = qr("decode", "shot.png", "--json")
    document = json.loads(out)
    assert status == 0
    claims, proof = GOLDEN["claims"], GOLDEN["proof"]
    granted = document["entitlement"]
    assert (document["kind"], document["characters"]) == ("MC1", len(TEXT))
    assert (granted["kid"], granted["exp"], granted["iat"], granted["cti"]) == (
        GOLDEN["kid"], claims["exp"], claims["iat"], claims["cti"],
    )  # fmt: skip
    assert (granted["product"], granted["max_taps"], granted["max_fare_rial"]) == (3, 40, 400)
    assert {key: document["proof"][key] for key in ("ts", "ctr", "pax")} == {
        key: proof[key] for key in ("ts", "ctr", "pax")
    }
    assert document["signatures_not_checked"] == ["ledger", "phone"]
    status, told, _ = qr("decode", "-", stdin=TEXT.encode())
    assert status == 0
    for value in (
        granted["phone_key_x"],
        granted["signature"],
        document["proof"]["signature"],
        granted["cti"],
    ):
        assert value in told
    assert "2026-09-21 15:13:20 UTC  (1790003600)" in told
    assert "NOT CHECKED: the ledger's signature, the phone's signature." in told
    _, told, _ = qr("decode", a_phone_ticket())
    assert "ride (ctr)               3 to 4 of 10" in told
    assert "2, for whom 70,000 rial are held" in told
    assert f"challenge                {CHALLENGE.hex()}" in told


def test_decode_tells_paper(qr: Run) -> None:
    status, out, _ = qr("decode", "--json", a_paper_ticket("اتوبوس ۷"))
    document = json.loads(out)
    assert (status, document["kind"], document["entitlement"]["vehicle"]) == (0, "MP1", "اتوبوس ۷")
    assert document["signatures_not_checked"] == ["ledger"]
    assert "proof" not in document
    assert "'bus-7' alone" in qr("decode", a_paper_ticket("bus-7"))[1]
    told = qr("decode", a_paper_ticket(None))[1]
    assert "any; the ledger redeems it" in told
    assert "NOT CHECKED: the ledger's signature, the only one on paper." in told


def test_verify_accepts_the_golden_ticket_and_names_each_reason(qr: Run) -> None:
    status, out = verify(qr, TEXT, at_s=NOW_S, issuer=ISSUER)
    assert (status, out.splitlines()[0]) == (0, "accepted")
    assert "ride 7 of 40 on ticket a1b2c3d4e5f60718, 1 person, 400 rial held" in out
    assert "not looked at: the denylist, and whether this ride was taken already" in out
    wrong_key = "01=" + "11" * 32
    flipped = TEXT[:-3] + ("000" if TEXT[-3:] != "000" else "111")
    for reason, text, at_s, issuer in (
        ("stale", TEXT, NOW_S + 31, ISSUER),
        ("from_the_future", TEXT, NOW_S - 31, ISSUER),
        ("unknown_key", TEXT, NOW_S, OURS),
        ("bad_issuer_signature", TEXT, NOW_S, wrong_key),
        ("bad_phone_signature", flipped, NOW_S, ISSUER),
        ("malformed", TEXT[:-1], NOW_S, ISSUER),
        ("too_long", TEXT * 2, NOW_S, ISSUER),
        ("not_a_ticket", "WIFI:S:home;;", NOW_S, ISSUER),
        ("not_a_ticket", "😀", NOW_S, ISSUER),
        ("not_a_ticket", "", NOW_S, ISSUER),
    ):
        status, out = verify(qr, text, at_s=at_s, issuer=issuer)
        assert (status, out.partition(":")[0], out.count("\n")) == (1, reason, 1)


def test_verify_reads_a_picture_as_decode_does(qr: Run, tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(as_png(draw(TEXT)))
    Image.new("L", (200, 200), 255).save(tmp_path / "white.png")
    status, out = verify(qr, "shot.png", at_s=NOW_S, issuer=ISSUER)
    assert (status, out.splitlines()[0]) == (0, "accepted")
    assert verify(qr, "shot.png", at_s=NOW_S + 31, issuer=ISSUER)[1].startswith("stale: ")
    status, out, err = qr("verify", "--at", str(NOW_S), "--issuer", ISSUER, "white.png")
    assert (status, out, "No QR code can be read" in err) == (2, "", True)


def test_verify_knows_several_issuers_and_a_challenge(qr: Run) -> None:
    text = a_phone_ticket()
    status, out = verify(qr, text, "--issuer", ISSUER, "--issuer", OURS)
    assert (status, "3 to 4 of 10" in out, "which nobody compared" in out) == (0, True, True)
    status, out = verify(qr, text, "--challenge", CHALLENGE.hex())
    assert (status, f"answers the challenge {CHALLENGE.hex()}, as asked" in out) == (0, True)
    for wrong in (text, a_phone_ticket(None), a_paper_ticket(None)):
        status, out = verify(qr, wrong, "--challenge", "ff" * 8)
        assert (status, out.partition(":")[0]) == (1, "wrong_challenge")


def test_verify_judges_paper(qr: Run) -> None:
    bound, online = a_paper_ticket("bus-7"), a_paper_ticket(None)
    status, out = verify(qr, bound)
    assert (status, "for the bus 'bus-7' alone" in out, "(--vehicle)" in out) == (0, True, True)
    status, out = verify(qr, bound, "--vehicle", "bus-7")
    assert (status, "(--vehicle)" in out) == (0, False)
    assert verify(qr, bound, "--vehicle", "bus-8")[1].startswith("wrong_vehicle: ")
    status, out = verify(qr, online, "--vehicle", "bus-8")
    assert (status, "once the ledger has redeemed it" in out) == (0, True)
    assert verify(qr, bound, at_s=NOW_S + 3601)[1].startswith("expired: ")
    assert verify(qr, bound, at_s=NOW_S - 31)[1].startswith("not_yet_valid: ")
    assert verify(qr, bound, issuer="05=" + "11" * 32)[1].startswith("bad_issuer_signature: ")
    assert verify(qr, "MC1:" + bound[4:])[0] == 1, "paper never passes as a phone's"


def test_wrong_usage_is_one_sentence_and_status_2(qr: Run, tmp_path: Path) -> None:
    at = ("--at", str(NOW_S))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "blank.png").write_bytes(b"")
    Image.new("L", (200, 200), 255).save(tmp_path / "white.png")
    (tmp_path / "wifi.png").write_bytes(as_png(draw("WIFI:S:HOME")))
    (tmp_path / "cut.png").write_bytes(as_png(draw(TEXT))[:400])
    two = Image.new("L", (1400, 700), 255)
    for place, text in enumerate((TEXT, a_phone_ticket())):
        two.paste(Image.open(io.BytesIO(as_png(draw(text)))).convert("L"), (place * 700, 0))
    two.save(tmp_path / "two.png")
    for match, arguments in (
        ("Missing option '--issuer'", ("verify", *at, TEXT)),
        ("Missing option '--at'", ("verify", "--issuer", ISSUER, TEXT)),
        ("Invalid value for '--at'", ("verify", "--at", "now", "--issuer", ISSUER, TEXT)),
        ("is not KID_HEX=PUBLIC_KEY_HEX", ("verify", *at, "--issuer", "1=ab", TEXT)),
        ("is not KID_HEX=PUBLIC_KEY_HEX", ("verify", *at, "--issuer", GOLDEN["issuer_pub"], TEXT)),
        ("is not KID_HEX=PUBLIC_KEY_HEX", ("verify", *at, "--issuer", "01=" + "é" * 64, TEXT)),
        ("is given twice", ("verify", *at, "--issuer", ISSUER, "--issuer", "01=" + "11" * 32, TEXT)),
        (
            "A challenge is 8 bytes",
            ("verify", *at, "--issuer", ISSUER, "--challenge", "0 11223344556677", TEXT),
        ),
        ("nothing to draw", ("show", "")),
        ("cannot be drawn", ("show", "wifi")),
        ("too long: 10,000 characters", ("show", "A" * 10_000)),
        ("cannot be written", ("show", TEXT, "--png", "nowhere/a.png")),
        ("cannot be written", ("show", TEXT, "--svg", ".")),
        ("is no file here", ("decode", "nothing.png")),
        ("is no file here", ("decode", "A" * 5_000)),
        ("is no file here", ("decode", "a\0b\x1b[2J")),
        ("is no file here", ("decode", ".")),
        ("is not a picture", ("decode", "text.png")),
        ("is not a picture", ("decode", "blank.png")),
        ("is not a picture", ("decode", "cut.png")),
        ("No QR code can be read in white.png", ("decode", "white.png")),
        ("is no ticket of this system: it says 'WIFI:S:HOME'", ("decode", "wifi.png")),
        ("shows 2 tickets", ("decode", "two.png")),
    ):
        status, out, err = qr(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), (arguments, out, err)
        assert match in err
        assert "\x1b" not in err


def test_hostile_standard_input_is_a_named_reason(qr: Run) -> None:
    key = ("--issuer", ISSUER)
    for reason, stdin in (
        ("too_long", os.urandom(1 << 20)),
        ("too_long", b"MC1:" + b"A" * 10_000_000),
        ("not_a_ticket", b""),
        ("not_a_ticket", b"\xff\xfe\0\0"),
        ("malformed", b"MC1:" + b"\0" * 100),
        ("malformed", "MC1:سلام".encode()),
    ):
        status, out, err = qr("verify", "--at", str(NOW_S), *key, "-", stdin=stdin)
        assert (status, out.partition(":")[0], err) == (1, reason, "")
        status, out, err = qr("decode", "-", stdin=stdin)
        assert (status, out, err.partition(":")[0], err.count("\n")) == (1, "", reason, 1)
        assert qr("show", "-", stdin=stdin)[0] == 2


def test_how_long_a_text_is_that_was_not_read_to_its_end_is_not_guessed(qr: Run) -> None:
    for stdin, told in (
        (b"MC1:" + b"A" * 10_000_000, "too_long: longer than 65,536 characters. "),
        ("م".encode() * 65_537, "too_long: longer than 65,536 characters. "),
        (b"A" * 65_536 + b"\r\n", "too_long: 65536 characters, at most 400. "),
    ):
        err = qr("decode", "-", stdin=stdin)[2]
        assert err.startswith(told), err
