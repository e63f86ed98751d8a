"""What the settings say of a desk, and a transport key that must stay private."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from fare.desk import Desk
from fare.desk.opening import desk_of
from fare.settings import LedgerSettings
from tests.collection.bus import NOON
from tests.desk.build import Counter

KEY = bytes(range(16))


def opened(counter: Counter, folder: Path, **given: object) -> Desk:
    settings = LedgerSettings(state_dir=folder, **given)
    return desk_of(settings, counter.city.keys, counter.city.engine, lambda: NOON, "omid")


def test_a_desk_goes_by_the_citys_settings(counter: Counter, tmp_path: Path) -> None:
    desk = opened(counter, tmp_path, replacement_wait_hours=5, issuer=9)
    assert (desk.waiting, desk.issuer, desk.by, desk.factory_key) == (timedelta(hours=5), 9, "omid", None)
    assert opened(counter, tmp_path).waiting == timedelta(hours=72)
    assert desk.now().isoformat() == "2026-11-22T12:00:00+03:30"


def test_a_transport_key_is_read_from_a_private_file(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "transport-key"
    file.write_text(KEY.hex() + "\n")
    file.chmod(0o600)
    desk = opened(counter, tmp_path, transport_key_file=file)
    assert desk.factory_key == KEY
    assert repr(KEY) not in repr(desk)
    for mode, text in ((0o644, KEY.hex()), (0o600, "00"), (0o600, "not a key")):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(OperatorError) as caught:
            opened(counter, tmp_path, transport_key_file=file)
        assert text not in str(caught.value)
    file.write_text("00" * 16)
    with pytest.raises(OperatorError, match="public"):
        opened(counter, tmp_path, transport_key_file=file)
    with pytest.raises(OperatorError, match="cannot be read"):
        opened(counter, tmp_path, transport_key_file=tmp_path / "none")
