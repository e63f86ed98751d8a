"""Assignment files for tests."""

from __future__ import annotations

from pathlib import Path

HEADER = (
    "device,vehicle,plate,route_id,owner,owner_name,owner_kind,iban,"
    "contract,owner_share_percent,starts_at,ends_at"
)
IBAN_ONE = "IR062960000000100324200001"
IBAN_TWO = "IR580540105180021273113007"


def row(
    *,
    device: str = "7",
    vehicle: str = "bus-7",
    plate: str = "۱۲ع۳۴۵ ایران ۱۷",
    route: str = "r-1",
    owner: str = "o-1",
    owner_name: str = "شرکت نمونه",
    kind: str = "private",
    iban: str = IBAN_ONE,
    contract: str = "c-1",
    share: str = "92.5",
    starts_at: str = "2026-11-01",
    ends_at: str = "",
) -> str:
    """One line of the file; every argument is a cell as it would be typed."""
    return ",".join(
        [device, vehicle, plate, route, owner, owner_name, kind, iban, contract, share, starts_at, ends_at]
    )


def write_file(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A file with a header and these rows."""
    path = folder / "fleet.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path
