"""The report of a batch of cards: to be printed and signed by two people, or for a spreadsheet. No secret.

The page is one file: Persian, right to left, A4, with Persian digits and Jalali dates, and the fonts of
whatever machine prints it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from fare.core.calendar import jalali, jalali_numeric
from fare.core.money import persian_digits
from fare.desk.context import LOCAL

MAX_ROWS: Final = 2000
_COLUMNS: Final = (
    "no",
    "name",
    "serial",
    "uid",
    "chip",
    "key_generation",
    "first_proof",
    "issued_at",
    "result",
)
_HEADINGS: Final = (
    "ردیف", "شماره کارت", "شناسه تراشه", "تراشه", "نسل کلید", "نخستین گواه", "زمان", "نتیجه",
)  # fmt: skip
_FAILED_IN_PERSIAN: Final[Mapping[str, str]] = {
    "already_issued": "پیش‌تر صادر شده است",
    "already_personalised": "پیش‌تر صادر شده است",
    "card_torn": "کارت از روی دستگاه برداشته شد",
    "not_a_card_of_this_system": "این تراشه پذیرفته نیست",
    "authentication_failed": "کلید کارخانه پذیرفته نشد",
    "wrong_response_mac": "پاسخ کارت دست‌کاری شده بود",
}
_HERE: Final = "دفتر مرکزی"
"""Who issues at the ledger's own machine, where no account signs in."""
_FAILED: Final = "صادر نشد"
_ISSUED: Final = "صادر شد"
_STYLE: Final = """
@page { size: A4; margin: 14mm 12mm 16mm }
@page { @bottom-center { content: "صفحه " counter(page, persian) " از " counter(pages, persian) } }
@page { @bottom-center { font: 8.5pt Vazirmatn, "Noto Naskh Arabic", Tahoma, sans-serif; color: #555 } }
body { font: 10.5pt/1.6 Vazirmatn, "Noto Naskh Arabic", Tahoma, sans-serif }
body { color: #111; background: #fff; margin: 0 }
header { display: flex; justify-content: space-between; align-items: baseline }
header { border-block-end: 1.2pt solid #111; margin: 0 0 4mm }
h1 { font-size: 16pt; margin: 0 }
header p { font-size: 12pt; font-weight: 700; margin: 0 }
dl { display: grid; grid-template-columns: 1.5fr 1fr 1fr; gap: 1mm 6mm; margin: 0 0 5mm }
dl div { display: flex; gap: 2mm; white-space: nowrap }
dt { color: #555 }
dt::after { content: ":" }
dd { margin: 0; font-weight: 700 }
table { border-collapse: collapse; inline-size: 100%; font-size: 9.5pt }
thead { display: table-header-group }
tr { break-inside: avoid }
th, td { border: .3pt solid #888; padding: .8mm 1.6mm; text-align: start; vertical-align: top }
th { background: #e8e8e8 }
tbody tr:nth-child(even) td { background: #f7f7f7 }
th, td { white-space: nowrap }
td[colspan] { white-space: normal }
bdi { font-family: "DejaVu Sans Mono", monospace; font-size: 8.5pt }
tbody tr.failed td { background: #f6e3e3 }
small { display: block; color: #555 }
.signatures { display: grid; grid-template-columns: 1fr 1fr; gap: 12mm }
.signatures { margin-block-start: 12mm; break-inside: avoid }
.signatures div { border-block-start: .5pt solid #111; padding-block-start: 2mm; margin-block-start: 16mm }
@media screen { body { max-inline-size: 190mm; margin: 8mm auto; padding: 0 4mm } }
"""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch as it was done. Each row: `name`, `result` (facts of `Issued`) or `error`, `sentence`."""

    city: str
    by: str
    made_at: datetime
    zone: ZoneInfo
    rows: Sequence[Mapping[str, Any]]

    @property
    def issued(self) -> int:
        """How many cards were issued."""
        return sum(row.get("result") is not None for row in self.rows)

    def html(self) -> str:
        """The page to print."""
        local = self.made_at.astimezone(self.zone)
        figures = (
            ("تاریخ", f"{jalali(local.date())}، {persian_digits(f'{local:%H:%M}')}"),
            ("شهر", self.city),
            ("صادرکننده", _HERE if self.by == LOCAL else self.by),
            ("شماره کارت‌ها", self._numbers()),
            ("کارت‌های صادرشده", persian_digits(str(self.issued))),
            ("کارت‌های ناموفق", persian_digits(str(len(self.rows) - self.issued))),
        )
        heads = "".join(f'<th scope="col">{heading}</th>' for heading in _HEADINGS)
        body = "".join(self._html_row(number, row) for number, row in enumerate(self.rows, 1))
        listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in figures)
        return (
            '<!doctype html>\n<html lang="fa" dir="rtl"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>گزارش صدور کارت</title><style>{_STYLE}</style></head><body>"
            "<header><h1>گزارش صدور کارت</h1><p>من‌کارت</p></header>"
            f"<dl>{listed}</dl>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
            '<div class="signatures"><div>نام و امضای صادرکننده</div><div>نام و امضای ناظر</div></div>'
            "</body></html>\n"
        )

    def csv(self) -> str:
        """The same for a spreadsheet: times in the city's zone, ISO 8601."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        for number, row in enumerate(self.rows, 1):
            done: Mapping[str, Any] = row.get("result") or {}
            at = done.get("issued_at")
            writer.writerow(
                [
                    number,
                    _cell(row.get("name", "")),
                    done.get("serial", ""),
                    _cell(done.get("uid", "")),
                    _cell(done.get("chip", "")),
                    done.get("key_version", ""),
                    done.get("tmc", ""),
                    "" if at is None else _instant(at).astimezone(self.zone).isoformat(timespec="seconds"),
                    "issued" if done else _cell(row.get("sentence", "")),
                ]
            )
        return out.getvalue()

    def _numbers(self) -> str:
        serials = sorted(int(row["result"]["serial"]) for row in self.rows if row.get("result") is not None)
        if not serials:
            return "–"
        first, last = persian_digits(str(serials[0])), persian_digits(str(serials[-1]))
        return first if first == last else f"از {first} تا {last}"

    def _html_row(self, number: int, row: Mapping[str, Any]) -> str:
        done: Mapping[str, Any] | None = row.get("result")
        if done is None:
            told = _FAILED_IN_PERSIAN.get(str(row.get("error")), _FAILED)
            why = escape(str(row.get("sentence", "")))
            name = _ltr(row.get("name", ""))
            return (
                f'<tr class="failed"><td>{persian_digits(str(number))}</td><td></td><td>{name}</td>'
                f'<td colspan="5">{told}<small dir="ltr">{why}</small></td></tr>'
            )
        at = _instant(done["issued_at"]).astimezone(self.zone)
        cells = [
            persian_digits(str(number)),
            persian_digits(str(int(done["serial"]))),
            _ltr(done["uid"]),
            _ltr(str(done["chip"]).removeprefix("MIFARE ")),
            persian_digits(str(int(done["key_version"]))),
            persian_digits(str(int(done["tmc"]))),
            f"{jalali_numeric(at.date())} {persian_digits(f'{at:%H:%M}')}",
            _ISSUED,
        ]
        return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _ltr(text: object) -> str:
    return f'<bdi dir="ltr">{escape(str(text))}</bdi>'


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _cell(text: object) -> str:
    """A text that no spreadsheet takes for a formula."""
    said = str(text)
    return f"'{said}" if said[:1] in ("=", "+", "-", "@", "\t", "\r") else said
