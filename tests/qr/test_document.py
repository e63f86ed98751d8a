"""docs/qr-token.md says what the code does: its bytes, its reasons, its example, its command line."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import cwt
import pytest
from PIL import Image

from fare.cli import main
from fare.core import base45
from fare.core.proof import mc1, mp1
from fare.core.proof.refusal import TicketRefusal
from fare.keys.channel_roster import ChannelState
from tests.qr.degrading import CLEAN, degraded
from tests.qr.figure import figure

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
DOCUMENT = (DOCS / "qr-token.md").read_text(encoding="utf-8")
GOLDEN = json.loads((TESTS / "vectors" / "qr.json").read_bytes())["mancard_mc1"]
PAPER = json.loads((TESTS / "golden" / "paper_ticket.json").read_bytes())["tickets"][0]


def rows(*head: str) -> list[list[str]]:
    """The rows of the one table with these columns."""
    title = re.escape("| " + " | ".join(head) + " |")
    (found,) = re.findall(rf"^{title}\n\|[-|]+\|\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]


def test_the_byte_tables_are_the_golden_tickets() -> None:
    for kind, raw in (("MC1", GOLDEN["token_hex"]), ("MP1", PAPER["hex"])):
        at, whole = 0, bytes.fromhex(raw)
        for offset, size, told, meaning in rows("offset", "size", "bytes", f"in {kind}"):
            assert int(offset) == at, meaning
            start, _, end = told.strip("`").partition("…")
            part = whole[at : at + int(size)].hex()
            assert part.startswith(start), meaning
            assert part.endswith(end), meaning
            assert end or len(part) == len(start), meaning
            at += int(size)
        assert at == len(whole)
    assert mc1.decode_ticket(GOLDEN["text"]).raw.hex() == GOLDEN["token_hex"]
    assert mp1.decode_paper(PAPER["text"]).raw.hex() == PAPER["hex"]
    for told in (f"{len(GOLDEN['text'])} characters", f"{len(PAPER['text'])} characters"):
        assert told in DOCUMENT


def test_every_reason_and_every_state_has_its_row() -> None:
    told = [(reason.strip("`"), int(step)) for reason, step, _ in rows("reason", "step", "what happened")]
    assert {reason for reason, _ in told} == {reason.value for reason in TicketRefusal}
    assert [step for _, step in told] == sorted(step for _, step in told)
    states = [row[0] for row in rows("state", "signs", "in the bundle", "its rides are paid")]
    assert states == [state.value for state in ChannelState]


def test_the_example_verifies_both_signatures() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/qr-token.md", "exec"), names)
    assert len([line for line in source.partition("def verify")[2].splitlines() if line]) <= 15
    verify, issuers = names["verify"], {bytes.fromhex(GOLDEN["kid"]): bytes.fromhex(GOLDEN["issuer_pub"])}
    claims, ride = verify(GOLDEN["text"], issuers)
    assert (claims[4], claims[7].hex()) == (GOLDEN["claims"]["exp"], GOLDEN["claims"]["cti"])
    assert ride == [GOLDEN["proof"][name] for name in ("ts", "ctr", "pax")]
    raw = bytes.fromhex(GOLDEN["token_hex"])
    for at in (171, 230, 120):  # ctr, the phone's signature, the ledger's signature
        changed = mc1.PREFIX + base45.encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises(cwt.VerifyError):
            verify(changed, issuers)


def test_the_command_line_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = re.findall(r"^mancard (qr verify .*) TEXT$", DOCUMENT, re.MULTILINE)
    with pytest.raises(SystemExit) as left:
        main([*shlex.split(line), GOLDEN["text"]])
    assert (left.value.code, capsys.readouterr().out.splitlines()[0]) == (0, "accepted")


def test_every_damage_has_its_row_and_the_picture_shows_them() -> None:
    told = " ".join(row[0] for row in rows("damage", "zxing-cpp", "zbar")).lower()
    for name in degraded(figure(), 1):
        assert {CLEAN: "none", "blurred": "blur", "cracked": "cracks"}.get(name, name.split()[0]) in told, (
            name
        )
    with Image.open(DOCS / "images" / "qr-damage.png") as shown:
        assert shown.size == figure().size
