"""Keys are made once, kept to one account, and never shown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.desfire.keys import KeyRing
from fare.core.errors import OperatorError
from fare.keys import LedgerKeys, MasterFile, SigningKey

FILES = [
    "acknowledgement.pem", "bundle.pem", "card-issuer.pem", "card-masters.json", "channel-5.pem",
    "channel.pem", "channels.json", "ledger-epoch",
]  # fmt: skip


def signing_keys(keys: LedgerKeys) -> list[SigningKey]:
    return [keys.card_issuer, keys.channel, keys.acknowledgement, keys.bundle]


def ring(keys: LedgerKeys) -> KeyRing:
    assert isinstance(keys.cards, MasterFile)
    return keys.cards.ring


def test_the_first_start_makes_every_key(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    keys = LedgerKeys.open(folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len({key.public_bytes for key in signing_keys(keys)}) == 4
    assert len({key.kid for key in signing_keys(keys)}) == 4, "a key id has one purpose"
    masters = ring(keys).generations[0]
    assert len({masters.picc, masters.k0, masters.k1, masters.k2, masters.tm}) == 5
    assert len(keys.ledger_epoch) == 8


def test_a_later_start_reads_the_same_keys(tmp_path: Path) -> None:
    first, second = LedgerKeys.open(tmp_path / "k"), LedgerKeys.open(tmp_path / "k")
    assert [k.public_bytes for k in signing_keys(first)] == [k.public_bytes for k in signing_keys(second)]
    assert ring(first) == ring(second)
    assert first.ledger_epoch == second.ledger_epoch


def test_two_ledgers_have_no_key_in_common(tmp_path: Path) -> None:
    one, other = LedgerKeys.open(tmp_path / "1"), LedgerKeys.open(tmp_path / "2")
    assert not {k.public_bytes for k in signing_keys(one)} & {k.public_bytes for k in signing_keys(other)}
    assert ring(one).generations[0].k1 != ring(other).generations[0].k1
    assert one.ledger_epoch != other.ledger_epoch


def test_starting_at_the_same_moment_agrees_on_one_set(tmp_path: Path) -> None:
    gate = threading.Barrier(6)
    opened: list[LedgerKeys] = []

    def start() -> None:
        gate.wait()
        opened.append(LedgerKeys.open(tmp_path / "k"))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert len({tuple(k.public_bytes for k in signing_keys(keys)) for keys in opened}) == 1
    assert len({(ring(keys).generations[0].k1, keys.ledger_epoch) for keys in opened}) == 1
    assert sorted(path.name for path in (tmp_path / "k").iterdir()) == FILES


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    keys = LedgerKeys.open(tmp_path / "k")
    shown = repr(keys) + str(keys)
    masters = ring(keys).generations[0]
    for secret in (masters.picc, masters.k0, masters.k1, masters.k2, masters.tm):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    for key in signing_keys(keys):
        assert isinstance(key.private, Ed25519PrivateKey)
        assert key.private.private_bytes_raw().hex() not in shown
        assert "Ed25519PrivateKey" not in shown


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    LedgerKeys.open(tmp_path / "k")
    (tmp_path / "k" / name).chmod(mode)
    with pytest.raises(OperatorError, match=f"chmod 600 .*{name}"):
        LedgerKeys.open(tmp_path / "k")


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    LedgerKeys.open(tmp_path / "k")
    (tmp_path / "k").chmod(0o750)
    with pytest.raises(OperatorError, match="chmod 700"):
        LedgerKeys.open(tmp_path / "k")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe nonsense", b"{}", b"null", b"a5" * 300])
def test_a_damaged_file_is_one_sentence_and_stays(tmp_path: Path, name: str, content: bytes) -> None:
    LedgerKeys.open(tmp_path / "k")
    file = tmp_path / "k" / name
    file.write_bytes(content)
    with pytest.raises(OperatorError, match=f"{name} does not hold its key") as caught:
        LedgerKeys.open(tmp_path / "k")
    assert caught.value.__cause__ is None
    assert file.read_bytes() == content


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    LedgerKeys.open(tmp_path / "k")
    masters = (tmp_path / "k" / "card-masters.json").read_bytes()
    (tmp_path / "k" / "card-masters.json").write_bytes(masters.replace(b'"format": 2', b'"format": 3'))
    with pytest.raises(OperatorError, match="card-masters"):
        LedgerKeys.open(tmp_path / "k")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    LedgerKeys.open(tmp_path / "k")
    file = tmp_path / "k" / "bundle.pem"
    file.rename(tmp_path / "elsewhere.pem")
    file.symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(OperatorError, match="cannot be read"):
        LedgerKeys.open(tmp_path / "k")


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("")
    with pytest.raises(OperatorError, match="cannot be used"):
        LedgerKeys.open(tmp_path / "k")
