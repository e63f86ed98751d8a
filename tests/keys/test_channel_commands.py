"""The revoke drill as a person types it: one command, one screen, and what buses make of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import select

from fare.cli import main
from fare.core.bundle import Bundle, open_bundle
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import open_engine, write
from fare.distribution import current_bundle
from fare.issuing import issue_ticket_entitlement
from fare.issuing.models import TicketEntitlement
from fare.issuing.words import TicketMedium
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from hardware.emulator.phone import VirtualPhone
from tests.issuing.build import a_wallet
from tests.staff.commands import Commands, commands
from tests.tariffs.published import publish

__all__ = ["commands"]

TARIFF = flat_tariff(1, "نرخ یکسان", {0: FareProduct("adult", "بزرگسال", 35_000)})
NOW = datetime.now(UTC).replace(microsecond=0)  # the commands read the clock


class Ledger:
    """A ledger that runs on while commands are given beside it."""

    def __init__(self) -> None:
        self.settings = LedgerSettings()
        self.engine = open_engine(self.settings.database_url)
        self.keys = LedgerKeys.open(self.settings.keys_dir)
        with write(self.engine) as session:
            publish(session, TARIFF, NOW - timedelta(days=1))
            self.wallet_id = a_wallet(session, self.keys, 1_000_000)

    def phone(self) -> VirtualPhone:
        """A phone with a fresh ticket."""
        device = VirtualPhone.new()
        x, y = device.public_key_xy
        with write(self.engine) as session:
            device.hold(
                issue_ticket_entitlement(
                    session, self.keys, self.wallet_id, x, bool(y[-1] & 1), 2, 35_000, NOW, timedelta(hours=2)
                )
            )
        return device

    def bundle(self) -> Bundle:
        """What a bus gets that syncs now."""
        with write(self.engine) as session:
            _, envelope = current_bundle(session, self.keys, self.settings, NOW)
        return open_bundle(envelope, {self.keys.bundle.kid: self.keys.bundle.public})


def accepts(bundle: Bundle, device: VirtualPhone) -> bool:
    """Whether a bus with this bundle takes the phone's ticket; a key it does not know is the only refusal."""
    keys = {bytes([kid]): Ed25519PublicKey.from_public_bytes(raw) for kid, raw in bundle.channel_keys.items()}
    now_s = int(NOW.timestamp())
    verdict = examine(device.ticket_text(now_s, 1), keys, now_s, True, lambda _cti: False)
    assert not isinstance(verdict, TicketRefusal) or verdict is TicketRefusal.UNKNOWN_KEY, verdict
    return not isinstance(verdict, TicketRefusal)


def test_a_leaked_key_is_revoked_by_one_command_and_strands_no_phone(commands: Commands) -> None:
    ledger = Ledger()
    before, old = ledger.bundle(), [ledger.phone() for _ in range(3)]
    with write(ledger.engine) as session:  # one of them on paper, one long expired
        first, second = session.exec(select(TicketEntitlement).limit(2))
        first.medium = TicketMedium.PAPER
        second.issued_at, second.expires_at = NOW - timedelta(hours=2), NOW - timedelta(minutes=1)
        session.add_all([first, second])
    assert all(accepts(before, device) for device in old)

    status, out, err = commands("keys", "revoke-channel", "--by", "reza")
    assert (status, err) == (0, "")
    assert re.match(r"Revoked: channel key 2, [-\d]+ [\d:]+ UTC by reza\. It is destroyed\.\n", out)
    assert "Signs now: key 5. Key 6 stands by" in out
    assert "Live tickets that key 2 signed: 1 on phones, 1 on paper." in out
    assert "exchange it at a counter" in out
    assert "Buses refuse key 2 from their next sync on, and know key 5 already." in out

    after, renewed = ledger.bundle(), ledger.phone()
    assert after.version.n == before.version.n + 1
    assert sorted(after.channel_keys) == [5, 6]
    assert not any(accepts(after, device) for device in old)
    assert accepts(after, renewed)
    assert accepts(before, renewed), "a bus that has not synced yet takes the renewed ticket"
    assert ledger.keys.channels.known()[b"\2"].public_bytes_raw() == before.channel_keys[2]
    trusted = [f"{kid:02x}={public.hex()}" for kid, public in sorted(after.channel_keys.items())]
    assert commands("keys", "channels", "--issuers")[1].splitlines() == trusted


def test_a_command_given_twice_revokes_once(commands: Commands) -> None:
    LedgerKeys.open(LedgerSettings().keys_dir)
    assert commands("keys", "revoke-channel")[0] == 0
    status, out, err = commands("keys", "revoke-channel")
    assert (status, out) == (2, "")
    assert "Channel key 2 was revoked already" in err
    assert "'mancard keys revoke-channel 5'" in err
    assert commands("keys", "revoke-channel", "5")[0] == 0  # named, it is done at once
    status, _, err = commands("keys", "revoke-channel", "5")
    assert (status, "Channel key 5 is revoked already" in err) == (2, True)
    status, _, err = commands("keys", "revoke-channel", "300")
    assert (status, "no channel key 300" in err) == (2, True)
    states = re.findall(r"^ *(\d+)  (\w+) ", commands("keys", "channels")[1], re.MULTILINE)
    assert states == [("2", "revoked"), ("5", "revoked"), ("6", "active"), ("7", "standby")]


def test_a_planned_roll_keeps_the_tickets_of_the_key_before(commands: Commands) -> None:
    ledger = Ledger()
    old = ledger.phone()
    status, out, _ = commands("keys", "roll-channel", "--by", "sara")
    assert (status, "Signs now: key 5." in out, "'mancard keys revoke-channel 2'" in out) == (0, True, True)
    assert accepts(ledger.bundle(), old)
    assert accepts(ledger.bundle(), ledger.phone())
    listed = commands("keys", "channels")[1].splitlines()
    assert re.fullmatch(r" *2  retiring  [-\d]+ [\d:]+ +1  sara", listed[1])
    assert re.fullmatch(r" *5  active    [-\d]+ [\d:]+ +1  sara", listed[2])
    assert commands("keys", "revoke-channel", "2")[0] == 0
    assert not accepts(ledger.bundle(), old)


def test_where_there_is_no_ledger_nothing_is_made_and_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path / "elsewhere"))
    for command in ("channels", "revoke-channel", "roll-channel"):
        with pytest.raises(SystemExit) as left:
            main(("keys", command))
        assert left.value.code == 2
        assert "There are no keys of a ledger in" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


def test_the_stop_needs_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("MANCARD_DATABASE_URL", raising=False)
    keys = LedgerKeys.open(tmp_path / "keys")
    with pytest.raises(SystemExit) as left:
        main(("keys", "revoke-channel"))
    assert left.value.code == 0
    assert "How many live tickets key 2 signed is not known" in capsys.readouterr().out
    assert keys.channels.revoked() == {2}
