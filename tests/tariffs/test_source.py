"""What a tariff folder or zip may be, and what is refused: somebody uploads it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from fare.core.tariff.loading import TariffFaults, load_tariff
from fare.core.tariff.loading.tables import MAX_ROWS
from fare.tariffs import open_tariff, read_tariff_files
from fare.tariffs.source import MAX_TOTAL_BYTES, read_tariff_zip

FILES = {
    "fare_products.txt": b"fare_product_id,amount,currency\nsingle,35000,IRR\n",
    "fare_leg_rules.txt": b"fare_product_id\nsingle\n",
}


def packed(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def folder(path: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(TariffFaults) as told:
        read_tariff_files(path)
    return str(told.value)


def test_folder_zip_and_zipped_folder_are_the_same_tariff(tmp_path: Path) -> None:
    tariff = open_tariff(folder(tmp_path))
    archive = tmp_path / "feed.zip"
    for prefix in ("", "tariff 1405/"):
        archive.write_bytes(packed({f"{prefix}{name}": content for name, content in FILES.items()}))
        assert open_tariff(archive) == tariff


def test_other_files_are_not_read(tmp_path: Path) -> None:
    others = {"../fare_products.txt": b"x", "shapes.txt": b"x" * 100, "inner.zip": packed(FILES)}
    assert read_tariff_zip(packed({**FILES, **others})) == FILES
    (folder(tmp_path) / "shapes.txt").write_bytes(b"x")
    assert read_tariff_files(tmp_path) == FILES


def test_links_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fare_products.txt").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "fare_leg_rules.txt")
    (tmp_path / "mancard.toml").mkdir()
    told = refused(tmp_path)
    assert "fare_products.txt: it is a link" in told
    assert "fare_leg_rules.txt: it is no ordinary file" in told
    assert "mancard.toml: it is no ordinary file" in told
    assert "it is neither a folder nor a file" in refused(Path("/dev/null"))


def test_a_zip_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written,
        written.open("stops.txt", "w") as file,
    ):
        for _ in range(MAX_TOTAL_BYTES // (1 << 20) + 1):
            file.write(bytes(1 << 20))
    assert "stops.txt: the files together are larger than 64 MiB" in refused(archive)


def test_the_size_that_a_zip_declares_is_not_trusted(tmp_path: Path) -> None:
    honest = packed({**FILES, "mancard.toml": b"#" * (2 << 20)})
    lie = honest.replace((2 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive = tmp_path / "lie.zip"
    archive.write_bytes(lie)
    assert lie != honest
    with pytest.raises(TariffFaults):
        open_tariff(archive)
    archive.write_bytes(honest)
    assert "mancard.toml: the file is larger than 1 MiB" in refused(archive)


def test_an_encrypted_or_broken_zip_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "feed.zip"
    content = bytearray(packed(FILES))
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "it is encrypted" in refused(archive)
    for broken in (b"", b"PK", packed(FILES)[:-30], b"not a zip at all"):
        archive.write_bytes(broken)
        assert "it is not a readable zip file" in refused(archive)


def test_ten_million_rows_and_a_huge_field_are_refused() -> None:
    rows = b"fare_product_id\n" + b"a\n" * (MAX_ROWS + 1)
    told = load_tariff({**FILES, "fare_leg_rules.txt": rows}).faults
    assert str(told[0]).startswith("fare_leg_rules.txt: there are more than 250,000 lines")
    field = b'fare_product_id\n"' + b"a" * 1_000_000 + b'"\n'
    told = load_tariff({**FILES, "fare_leg_rules.txt": field}).faults
    assert "a field is longer than 64,000 characters" in str(told[0])


def test_a_toml_file_of_traps_is_refused() -> None:
    for trap in (b"a = " + b"[" * 5000, b".".join([b"a"] * 5000) + b" = 1", b"a = " + b"9" * 5000, b"\xff",
                 b"[overdraft]\namount = 1e999999999", b"[tariff]\nexponent = 0x" + b"f" * 5000,
                 b"#" * ((1 << 20) + 1)):  # fmt: skip
        told = load_tariff({**FILES, "mancard.toml": trap}).faults
        assert [each.file for each in told] == ["mancard.toml"]
        assert len(str(told[0])) < 400
