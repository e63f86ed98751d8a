"""The ring of channel keys: a standby in advance, a revocation that strands nobody; in files, in a token."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from fare.keys import LedgerKeys, channel_roster, move_to_token
from fare.keys.channel_roster import ChannelKey, ChannelRoster
from fare.keys.private_files import MAX_FILE_BYTES
from fare.keys.token import open_token
from fare.settings import KeySettings
from tests.keys.softhsm import SoftToken

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
WORDS = b"words"


def states(keys: LedgerKeys) -> dict[int, str]:
    return {key.kid: key.state.value for key in keys.channels.roster.keys}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("channel*"))


def check_drill(folder: Path, settings: KeySettings | None) -> None:
    """A revocation, a planned roll and the end of its old key, as a running and a new ledger see them."""
    keys, running = LedgerKeys.open(folder, settings), LedgerKeys.open(folder, settings)
    first, published = running.channel, dict(running.channels.trusted())
    signed = first.private.sign(WORDS)
    assert states(running) == {2: "active", 5: "standby"}
    assert published == {2: first.public_bytes, 5: running.channels.roster.key(5).public}

    done = keys.channels.revoke(2, "reza", NOW)
    assert (done.ended.kid, done.signs_now, done.stands_by) == (2, 5, 6)
    for seen in (running, LedgerKeys.open(folder, settings)):
        assert states(seen) == {2: "revoked", 5: "active", 6: "standby"}
        assert seen.channels.revoked() == {2}
        assert sorted(seen.channels.trusted()) == [5, 6]
        assert seen.channel.kid == 5
        assert seen.channel.public_bytes == published[5], "buses that have not synced know it"
        seen.channel.public.verify(seen.channel.private.sign(WORDS), WORDS)
        seen.channels.known()[b"\2"].verify(signed, WORDS)  # genuine rides are paid
    with pytest.raises(OperatorError, match=r"revoked already, since 2026-11-22 09:30 UTC by reza"):
        keys.channels.revoke(2, "reza", NOW)

    done = keys.channels.roll("sara", NOW + timedelta(days=1))
    assert (done.ended.kid, done.signs_now, done.stands_by) == (5, 6, 7)
    assert states(running) == {2: "revoked", 5: "retiring", 6: "active", 7: "standby"}
    assert sorted(running.channels.trusted()) == [5, 6, 7], (
        "tickets of the key before are good until they expire"
    )
    done = keys.channels.revoke(5, "sara", NOW + timedelta(days=4))
    assert (done.signs_now, done.stands_by) == (6, 7)
    done = keys.channels.revoke(7, "sara", NOW + timedelta(days=5))
    assert (done.signs_now, done.stands_by) == (6, 8)
    assert states(running) == {2: "revoked", 5: "revoked", 6: "active", 7: "revoked", 8: "standby"}
    with pytest.raises(OperatorError, match="no channel key 4"):
        keys.channels.revoke(4, "sara", NOW)
    history = [(change.state.value, change.by) for change in running.channels.roster.key(5).changes]
    assert history == [
        ("standby", "this ledger"), ("active", "reza"), ("retiring", "sara"), ("revoked", "sara"),
    ]  # fmt: skip


def test_the_drill_in_files_destroys_each_revoked_half(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    check_drill(folder, None)
    assert files(folder) == ["channel-6.pem", "channel-8.pem", "channels.json"]


def test_the_drill_in_a_token_destroys_each_revoked_half(soft_token: SoftToken, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    check_drill(folder, soft_token.settings)
    held = {label for label in open_token(soft_token.settings).labels() if label.startswith("channel")}
    assert held == {"channel-6", "channel-8"}
    assert files(folder) == ["channels.json"]


def test_a_ring_moves_into_a_token_without_what_was_revoked(soft_token: SoftToken, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    before = LedgerKeys.open(folder)
    before.channels.revoke(2, "reza", NOW)
    move_to_token(folder, soft_token.settings)
    moved = LedgerKeys.open(folder, soft_token.settings)
    assert moved.channels.trusted() == before.channels.trusted()
    assert moved.channels.revoked() == {2}
    moved.channel.public.verify(moved.channel.private.sign(WORDS), WORDS)
    assert moved.channel.kid == 5


def test_a_folder_from_before_the_list_goes_on_with_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    public = LedgerKeys.open(folder).channel.public_bytes
    (folder / "channels.json").unlink()
    (folder / "channel-5.pem").unlink()
    keys = LedgerKeys.open(folder)
    assert (keys.channel.kid, keys.channel.public_bytes) == (2, public)
    assert states(keys) == {2: "active", 5: "standby"}


def test_a_token_from_before_the_list_goes_on_with_its_key(soft_token: SoftToken, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    public = LedgerKeys.open(folder, soft_token.settings).channel.public_bytes
    (folder / "channels.json").unlink()
    open_token(soft_token.settings).destroy_signer("channel-5")
    keys = LedgerKeys.open(folder, soft_token.settings)
    assert (keys.channel.kid, keys.channel.public_bytes) == (2, public)
    assert states(keys) == {2: "active", 5: "standby"}


def test_a_lost_list_never_lets_a_revoked_key_back(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    LedgerKeys.open(folder).channels.revoke(2, "reza", NOW)
    (folder / "channels.json").unlink()
    before = files(folder)
    with pytest.raises(OperatorError, match=r"channels\.json is missing: restore it"):
        LedgerKeys.open(folder)
    (folder / "channel-6.pem").unlink()
    with pytest.raises(OperatorError, match=r"channels\.json is missing: restore it"):
        LedgerKeys.open(folder)
    assert files(folder) == [name for name in before if name != "channel-6.pem"]


def test_a_key_that_is_not_the_lists_is_told_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    LedgerKeys.open(folder)
    (folder / "channel-5.pem").write_bytes((folder / "channel.pem").read_bytes())
    with pytest.raises(OperatorError, match="channel key 5 is not the one"):
        LedgerKeys.open(folder)
    (folder / "channel-5.pem").unlink()
    with pytest.raises(OperatorError, match=r"channel-5\.pem cannot be read"):
        LedgerKeys.open(folder)


def test_a_revocation_that_broke_off_is_whole_or_has_not_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    keys = LedgerKeys.open(folder)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fare.keys.private_files.replace", broken)
    with pytest.raises(KeyboardInterrupt):
        keys.channels.revoke(2, "reza", NOW)
    monkeypatch.undo()
    assert states(LedgerKeys.open(folder)) == {2: "active", 5: "standby"}
    # A key that was drawn and never listed is drawn anew.
    (folder / "channel-6.pem").write_bytes((folder / "channel.pem").read_bytes())
    (folder / "channel-6.pem").chmod(0o600)
    monkeypatch.setattr("fare.keys.channels.ChannelFiles.destroy", broken)
    with pytest.raises(KeyboardInterrupt):
        keys.channels.revoke(2, "reza", NOW)
    monkeypatch.undo()
    after = LedgerKeys.open(folder)
    assert states(after) == {2: "revoked", 5: "active", 6: "standby"}
    assert files(folder) == ["channel-5.pem", "channel-6.pem", "channels.json"]
    assert len(set(after.channels.known())) == len({key.public for key in after.channels.roster.keys}) == 3


def test_many_hands_at_once_revoke_a_key_once(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    opened = [LedgerKeys.open(folder) for _ in range(6)]
    gate, told = threading.Barrier(len(opened)), list[str]()

    def hand(keys: LedgerKeys) -> None:
        gate.wait()
        try:
            told.append(f"signs {keys.channels.revoke(2, 'a hand', NOW).signs_now}")
        except OperatorError as refusal:
            told.append(str(refusal).partition(",")[0])

    threads = [threading.Thread(target=hand, args=(keys,)) for keys in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["Channel key 2 is revoked already"] * 5 + ["signs 5"]
    assert [states(keys) for keys in opened] == [{2: "revoked", 5: "active", 6: "standby"}] * 6


def test_the_ids_end_with_a_byte_and_the_last_key_says_so() -> None:
    roster, name = ChannelRoster.first(bytes(32), NOW, "x"), "ن" * 99
    while (kid := roster.next_kid) is not None:
        roster = roster.with_standby(kid, kid.to_bytes(32), NOW, name)
        roster = roster.with_rolled(NOW, name)
        retiring = roster.keys[-2].kid
        if retiring != 254:
            roster = roster.with_revoked(retiring, NOW, name)
    assert (roster.active.kid, roster.standby, roster.wants_standby) == (255, None, False)
    for change in (lambda: roster.with_rolled(NOW, name), lambda: roster.with_revoked(255, NOW, name)):
        with pytest.raises(
            OperatorError, match="Channel key 255 is the last one: all ids up to 255 were used"
        ):
            change()
    assert roster.with_revoked(254, NOW, name).active.kid == 255
    assert len(roster.encode()) < MAX_FILE_BYTES
    assert channel_roster.decode(roster.encode()) == roster


def test_who_did_it_is_one_short_printable_name() -> None:
    key = ChannelRoster.first(bytes(32), NOW.replace(microsecond=5), " reza\n\x1b[2J ").active
    assert key.changes[0].by == "reza[2J"
    assert key.changes[0].at == NOW
    assert ChannelRoster.first(bytes(32), NOW, "\n").active.changes[0].by == "unknown"


def test_a_list_that_contradicts_itself_is_refused() -> None:
    good = json.loads(ChannelRoster.first(bytes(32), NOW, "x").encode())
    (entry,) = good["keys"]
    wrong: list[list[object]] = [
        [],
        [entry, entry],
        [entry | {"kid": 3}],
        [entry | {"kid": 256}],
        [entry | {"public": "00"}],
        [entry | {"changes": []}],
        [entry | {"changes": [["standby", 1, "x"]]}],
        [entry | {"changes": [["active", 1 << 60, "x"]]}],
        [entry, entry | {"kid": 5}],
    ]
    for keys in wrong:
        with pytest.raises(ValueError, match=r"channel key|millennium"):
            channel_roster.decode(json.dumps(good | {"keys": keys}).encode())
    with pytest.raises(ValueError, match="another format"):
        channel_roster.decode(json.dumps(good | {"format": 2}).encode())
    with pytest.raises(ValueError, match="2 or 5"):
        ChannelKey(1, bytes(32), ())
