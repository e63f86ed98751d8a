"""What can be wrong with a case, or keep a tariff from a city, in Persian. Words only, as in `words_fa`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CASE_WORDS: Final[Mapping[str, str]] = {
    # cases
    "{place}: {problem}": "{place}: {problem}",
    "{path}: {problem}": "{path}: {problem}",
    ' Do: write "{name}" if that was meant.': " اگر منظور «{name}» بوده است، همان را بنویسید.",
    " Do: leave it out.": " آن را حذف کنید.",
    " Do: use one of {names}{more}.": " یکی از این‌ها را بنویسید: {names}{more}.",
    "… and {count} more. Do: mend these first.": "… و {count} مورد دیگر. نخست این‌ها را درست کنید.",
    "an object": "شیء",
    "an object is needed here, not {kind}. Do: write { … }.": (
        "اینجا شیء لازم است، نه {kind}. به شکل `{ … }` بنویسید."
    ),
    "there is no such key.{mend}": "چنین کلیدی نیست.{mend}",
    "{value}: there is no such key.{mend}": "{value}: چنین کلیدی نیست.{mend}",
    "a text is needed here, not {kind}. Do: put it in quotes.": (
        'اینجا متن لازم است، نه {kind}. آن را میان دو علامت `"` بگذارید.'
    ),
    "a text of 1 to {most} characters is needed here. Do: mend it.": (
        "اینجا متنی با ۱ تا {most} نویسه لازم است. آن را درست کنید."
    ),
    "it holds a control character. Do: take it out.": "نویسهٔ کنترلی دارد. آن را بردارید.",
    "{kind} is not known here. Do: write {words}.": "{kind} اینجا شناخته نیست. {words} بنویسید.",
    "a whole number is needed here, not {kind}. Do: mend it.": (
        "اینجا عدد صحیح لازم است، نه {kind}. آن را درست کنید."
    ),
    "it must be {least} to {most}. Do: mend it.": "باید از {least} تا {most} باشد. آن را درست کنید.",
    "true or false is needed here, not {kind}. Do: mend it.": (
        "اینجا `true` یا `false` لازم است، نه {kind}. آن را درست کنید."
    ),
    '"{value}" is no date. Do: write it as 2026-03-21.': (
        "«{value}» تاریخ نیست. آن را به شکل `2026-03-21` بنویسید."
    ),
    '"{value}" is no time. Do: write it in ISO 8601, as 2026-11-22T08:00:00+03:30.': (
        "«{value}» زمان نیست. آن را با قالب `ISO 8601` بنویسید، مانند `2026-11-22T08:00:00+03:30`."
    ),
    '"{value}" has no UTC offset. Do: write the offset behind it, as {time}+03:30.': (
        "«{value}» اختلاف با `UTC` ندارد. اختلاف را پس از آن بنویسید، مانند `{time}+03:30`."
    ),
    "the year must be {first} to {last}. Do: mend it.": (
        "سال باید از {first} تا {last} باشد. آن را درست کنید."
    ),
    "a list is needed here, not {kind}. Do: write [ … ].": (
        "اینجا فهرست لازم است، نه {kind}. به شکل `[ … ]` بنویسید."
    ),
    "there are more than {most} entries. Do: split the case.": (
        "بیش از {most} مورد هست. نمونه را به چند نمونه تقسیم کنید."
    ),
    '{place}: the tariff has no {what} "{value}".{mend}': "{place}: در تعرفه {what} «{value}» نیست.{mend}",
    "rider category": "گروه مسافر",
    "fare medium": "وسیلهٔ پرداخت",
    "pass": "اشتراک",
    "route": "خط",
    "stop": "ایستگاه",
    "area": "ناحیه",
    'it is missing. Do: give the case a name, as "id": "student-1".': (
        'این کلید نیست. برای نمونه نامی بنویسید، مانند `"id": "student-1"`.'
    ),
    '"{case_id}" is the id of {other} too. Do: write another.': (
        "«{case_id}» شناسهٔ {other} هم هست. شناسهٔ دیگری بنویسید."
    ),
    "it is missing. Do: list the taps, or write [].": (
        "این کلید نیست. سوارشدن‌ها را فهرست کنید، یا `[]` بنویسید."
    ),
    "it is before the last tap. Do: write a time after all taps.": (
        "پیش از آخرین کارت زدن است. زمانی پس از همهٔ آن‌ها بنویسید."
    ),
    "a refund needs it. Do: write what the purse held before the taps.": (
        "برای پس دادن کارت لازم است. موجودی پیش از سوارشدن‌ها را بنویسید."
    ),
    "it is missing. Do: name the pass as the tariff does.": (
        "این کلید نیست. نام اشتراک را چنان که در تعرفه است بنویسید."
    ),
    "it is before valid_from. Do: mend one of them.": "پیش از `valid_from` است. یکی از این دو را درست کنید.",
    "it is missing. Do: write when the tap was, as 2026-11-22T08:00:00+03:30.": (
        "این کلید نیست. زمان کارت زدن را بنویسید، مانند `2026-11-22T08:00:00+03:30`."
    ),
    "{places}{more}: no rule of the tariff prices this ride.": (
        "{places}{more}: هیچ قاعده‌ای در تعرفه برای این سفر کرایه‌ای ندارد."
    ),
    '{problem} The stop "{stop}" lies in no area.{mend}': (
        "{problem} ایستگاه «{stop}» در هیچ ناحیه‌ای نیست.{mend}"
    ),
    "{problem} Every price of the tariff is for one fare medium. Do: say which, as fare_media.": (
        "{problem} هر بهایی در تعرفه برای یک وسیلهٔ پرداخت است. آن را با `fare_media` بنویسید."
    ),
    "{problem} Do: add a leg rule or a [default_fare].": (
        "{problem} یک قاعدهٔ سفر یا `[default_fare]` اضافه کنید."
    ),
    # the file of cases
    "{path} is no file. Do: name the JSON file with the cases.": (
        "{path} فایل نیست. فایل `JSON` نمونه‌ها را نام ببرید."
    ),
    "There is no file {path}. Do: check the name of the file with the cases.": (
        "فایل {path} نیست. نام فایل نمونه‌ها را بررسی کنید."
    ),
    "{path} cannot be read ({detail}). Do: check its rights.": (
        "{path} خوانده نمی‌شود ({detail}). اجازهٔ خواندن آن را بررسی کنید."
    ),
    "it has more than {mib} MiB. Do: split it into several files.": (
        "بزرگ‌تر از {mib} مگابایت است. آن را به چند فایل تقسیم کنید."
    ),
    "it has more than {most:,} objects and lists. Do: split it into several files.": (
        "بیش از {most:,} شیء و فهرست دارد. آن را به چند فایل تقسیم کنید."
    ),
    "it has more than {most} taps. Do: split it into several files.": (
        "بیش از {most} بار کارت زدن دارد. آن را به چند فایل تقسیم کنید."
    ),
    'it is no JSON object. Do: write {"cases": [ … ]}.': 'شیء `JSON` نیست. `{"cases": [ … ]}` بنویسید.',
    'cases: a list is needed here. Do: write {"cases": [ … ]}.': (
        '`cases`: اینجا فهرست لازم است. `{"cases": [ … ]}` بنویسید.'
    ),
    "the key {value} stands twice in one object. Do: keep one of them.": (
        "کلید {value} در یک شیء دو بار آمده است. یکی را نگه دارید."
    ),
    "{text} is no number in JSON. Do: write a whole number.": "{text} در `JSON` عدد نیست. عدد صحیح بنویسید.",
    "byte {place} is not UTF-8. Do: save the file as UTF-8.": (
        "کدگذاری بایت {place} `UTF-8` نیست. فایل را با `UTF-8` ذخیره کنید."
    ),
    "it is no JSON at line {line}, column {column} ({detail}). Do: mend it there.": (
        "در سطر {line}، ستون {column} متن `JSON` درستی نیست ({detail}). همان جا را درست کنید."
    ),
    "it is nested too deeply. Do: write cases as docs/tariff.md says.": (
        "بیش از اندازه تودرتو است. نمونه‌ها را چنان بنویسید که `docs/tariff.md` می‌گوید."
    ),
    "a number in it has too many digits. Do: write a shorter one.": (
        "عددی در آن رقم‌های بسیار زیادی دارد. کوتاه‌ترش کنید."
    ),
    # whether the city can run it
    "line": "خط",
    (
        "The city settles in rial, the tariff is in {currency}: write amounts in IRR, and"
        " exponent = 0 in mancard.toml."
    ): (
        "حساب شهر به ریال است و تعرفه به {currency}: مبلغ‌ها را به `IRR` بنویسید و در `mancard.toml` کلید "
        "`exponent = 0` را."
    ),
    "The city's time zone is {ours}, the tariff's {its}: write zone = \"{ours}\" in mancard.toml.": (
        'منطقهٔ زمانی شهر {ours} است و منطقهٔ تعرفه {its}: در `mancard.toml` بنویسید `zone = "{ours}"`.'
    ),
    (
        "The city's service day starts at {time}, the tariff's does not: write"
        ' service_day_starts = "{time}" in mancard.toml.'
    ): (
        "روز خدمت شهر از ساعت {time} آغاز می‌شود و روز خدمت تعرفه نه: در `mancard.toml` بنویسید "
        '`service_day_starts = "{time}"`.'
    ),
    "Line {name} ({id}) has no fare: add a leg rule for it, or a [default_fare].": (
        "خط {name} ({id}) کرایه ندارد: یک قاعدهٔ سفر برای آن یا `[default_fare]` اضافه کنید."
    ),
    (
        "Line {name} ({id}) has no fare where a bus does not know its area: add a [default_fare], or a"
        " leg rule without areas."
    ): (
        "خط {name} ({id}) جایی که اتوبوس ناحیهٔ خود را نمی‌داند کرایه ندارد: `[default_fare]` یا یک قاعدهٔ"
        " سفر بدون ناحیه اضافه کنید."
    ),
    (
        "The number {number} is {what} {ours} of the network and {its} of the tariff: correct"
        " [numbers] in mancard.toml."
    ): (
        "شمارهٔ {number} در شبکه {what} {ours} است و در تعرفه {its}: جدول `[numbers]` را در `mancard.toml` "
        "تصحیح کنید."
    ),
}
