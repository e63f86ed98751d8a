from __future__ import annotations

import json
import stat
from pathlib import Path

from fare.keys import LedgerKeys
from tests.fleet.files import row, write_file
from tests.network.feeds import write_zip
from tests.staff.commands import Commands


def test_a_fleet_is_imported_and_a_device_enrolled(commands: Commands, tmp_path: Path) -> None:
    commands("network", "import", str(write_zip(tmp_path / "feed.zip")))
    status, out, err = commands("fleet", "import", str(write_file(tmp_path, row())))
    assert (status, err) == (0, "")
    assert "1 new assignments" in out
    kit = tmp_path / "kit"
    status, out, err = commands(
        "fleet", "enrol", "7", "--out", str(kit), "--ledger-url", "http://ledger:8000"
    )
    assert (status, err) == (0, "")
    document = json.loads((kit / "kit.json").read_text())
    keys = LedgerKeys.open(commands.state / "keys")
    assert document["ledger_url"] == "http://ledger:8000"
    assert document["bundle_keys"] == {str(keys.bundle.kid): keys.bundle.public_bytes.hex()}
    assert document["claim_code"] not in out
    assert stat.S_IMODE((kit / "kit.json").stat().st_mode) == 0o600
    card_keys = json.loads((kit / "card-keys.json").read_text())
    assert card_keys["k1_masters"] == {"1": keys.validator_keys.k1_masters[1].hex()}
    assert "7  waiting for its claim" in commands("fleet", "devices")[1]
    status, out, _ = commands("fleet", "door", "7", "--exit")
    assert (status, "when they leave" in out) == (0, True)
    assert "7  waiting for its claim, at an exit" in commands("fleet", "devices")[1]
    assert commands("fleet", "door", "7", "--boarding")[0] == 0
    assert "at an exit" not in commands("fleet", "devices")[1]
    assert commands("fleet", "door", "8", "--exit")[0] == 2
    assert commands("fleet", "revoke", "7")[0] == 0
    assert "revoked" in commands("fleet", "devices")[1]


def test_faults_of_the_file_are_listed_with_status_2(commands: Commands, tmp_path: Path) -> None:
    commands("network", "import", str(write_zip(tmp_path / "feed.zip")))
    file = write_file(tmp_path, row(iban="IR00"), row(device="0", share="200"))
    status, out, err = commands("fleet", "import", str(file))
    assert (status, out) == (2, "")
    assert err.startswith("mancard: Nothing was imported: the file has 3 faults.")
    assert "line 2, column iban" in err
    assert "line 3, column device" in err
    assert "Traceback" not in err


def test_the_columns_are_explained(commands: Commands) -> None:
    status, out, _ = commands("fleet", "columns")
    assert status == 0
    assert "owner_share_percent" in out
