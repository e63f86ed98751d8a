"""What can be wrong with `mancard.toml`, or a folder as a whole, in Persian. Words only, as in `words_fa`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TOML_WORDS: Final[Mapping[str, str]] = {
    # mancard.toml
    "the file is larger than {mib} MiB": "فایل بزرگ‌تر از {mib} مگابایت است",
    "leave out what is no tariff": "آنچه را جزو تعرفه نیست کنار بگذارید",
    "this is not well-formed TOML": "این متن `TOML` درستی نیست",
    "this is not well-formed TOML: {detail}": "این متن `TOML` درستی نیست: {detail}",
    "correct this line": "این سطر را تصحیح کنید",
    "the tables are nested too deeply": "جدول‌ها بیش از اندازه تودرتو هستند",
    "write them as docs/tariff.md shows": "آن‌ها را چنان بنویسید که `docs/tariff.md` نشان می‌دهد",
    "save the file again in UTF-8": "فایل را دوباره با کدگذاری `UTF-8` ذخیره کنید",
    "the line has more than {most} points": "این سطر بیش از {most} نقطه دارد",
    "break it into several lines": "آن را به چند سطر تقسیم کنید",
    "the key is missing": "این کلید نیست",
    'add a line {key} = "…"': 'سطر `{key} = "…"` را اضافه کنید',
    "add {key} = …": "`{key} = …` را اضافه کنید",
    "this key is not known here": "این کلید اینجا شناخته نیست",
    "delete it; known here are {keys}": "آن را حذف کنید؛ کلیدهای شناخته‌شده اینجا: {keys}",
    "there are more than {most} keys that are not known here": "بیش از {most} کلید اینجا شناخته نیست",
    "this should be a table": "اینجا باید جدول باشد",
    "write it as a table [{table}]": "آن را به شکل جدول `[{table}]` بنویسید",
    "this should be a list of at most {most:,} tables": "اینجا باید فهرستی از حداکثر {most:,} جدول باشد",
    "begin each with a line [[{key}]]": "هر کدام را با سطر `[[{key}]]` آغاز کنید",
    "{value} falls back to itself in a circle": "{value} در یک دور به خودش بازمی‌گردد",
    "let the last one fall back to none": "برای آخری گروه جایگزین ننویسید",
    "{number} is the number of {value} too": "عدد {number} شمارهٔ {value} هم هست",
    "give each category its own": "برای هر گروه شمارهٔ جدا بنویسید",
    "there are more than {most} rider categories": "گروه‌های مسافر بیش از {most} است",
    "the number {number} is there twice": "شمارهٔ {number} دو بار آمده است",
    "give each id its own number": "برای هر شناسه شمارهٔ جدا بنویسید",
    "give each its own id": "برای هر کدام شناسهٔ جدا بنویسید",
    "give each its own": "برای هر کدام شمارهٔ جدا بنویسید",
    "{name} is the id of {kind} {number} already": "{name} پیش‌تر شناسهٔ {kind} شمارهٔ {number} شده است",
    "window": "مهلت تغییر خط",
    "cap": "سقف",
    "concession": "تخفیف",
    "distance": "کرایهٔ مسافتی",
    'write "end_of_service_day" or leave it out': '`"end_of_service_day"` بنویسید یا آن را حذف کنید',
    "a window has seconds or until, not both": "مهلت تغییر خط یا `seconds` دارد یا `until`، نه هر دو",
    'a window that pays = "{word}" needs it': 'برای `pays = "{word}"` این کلید لازم است',
    'it has no effect while pays = "{pays}"': 'تا وقتی `pays = "{pays}"` است اثری ندارد',
    'write pays = "{word}" or delete it': '`pays = "{word}"` بنویسید یا آن را حذف کنید',
    "write -1 for any number, or 1 or more": "برای هر تعداد `-1` بنویسید، وگرنه ۱ یا بیشتر",
    "a level needs an amount": "هر سطحِ سقف مبلغ لازم دارد",
    "a cap has an amount or levels, not both": "سقف یا `amount` دارد یا `levels`، نه هر دو",
    "a cap needs an amount or levels": "سقف `amount` یا `levels` لازم دارد",
    "add amount = …": "`amount = …` را اضافه کنید",
    'a cap whose period = "{period}" needs its number of days': (
        'برای سقفی با `period = "{period}"` تعداد روز لازم است'
    ),
    "add days = …": "`days = …` را اضافه کنید",
    'it has no effect while period = "{period}"': 'تا وقتی `period = "{period}"` است اثری ندارد',
    'write period = "rolling" or delete it': '`period = "rolling"` بنویسید یا آن را حذف کنید',
    "{number} is the number of pass {place} too": "عدد {number} شمارهٔ اشتراک {place} هم هست",
    "{value} is pass {place} already": "{value} پیش‌تر اشتراک {place} شده است",
    "a concession has either a percent that is paid or another product": (
        "تخفیف یا درصدی است که پرداخت می‌شود یا محصولی دیگر"
    ),
    "write exactly one of the two": "درست یکی از این دو را بنویسید",
    "the concession ends before it begins": "پایان تخفیف پیش از آغاز آن است",
    "the table names no days": "در این جدول هیچ روزی نیامده است",
    'add dates = ["2026-03-21"], service or weekdays': (
        '`dates = ["2026-03-21"]` یا `service` یا `weekdays` را اضافه کنید'
    ),
    "bands and a price for each kilometre exclude each other": (
        "پله‌های مسافت و بهای هر کیلومتر با هم نمی‌آیند"
    ),
    "a distance fare needs bands, or base and per_km": (
        "کرایهٔ مسافتی `bands` لازم دارد، یا `base` و `per_km`"
    ),
    "add bands = [{ up_to_m = …, amount = … }]": "`bands = [{ up_to_m = …, amount = … }]` را اضافه کنید",
    "the maximum is less than the minimum": "بیشینه از کمینه کمتر است",
    "there is no highest fare: a tap-on would be charged the ride's beginning alone": (
        "بیشترین کرایه معلوم نیست: هنگام سوار شدن تنها کرایهٔ آغاز سفر گرفته می‌شود"
    ),
    "there is no highest fare: a ride of unknown length costs its beginning alone": (
        "بیشترین کرایه معلوم نیست: سفری که طولش معلوم نباشد تنها کرایهٔ آغاز سفر را دارد"
    ),
    "add maximum = …, the fare of the longest ride": ("`maximum = …` را اضافه کنید: کرایهٔ درازترین سفر"),
    "the list is empty": "فهرست خالی است",
    "add a band such as { amount = 20000 }": "پله‌ای مانند `{ amount = 20000 }` اضافه کنید",
    "a band needs an amount": "هر پله مبلغ لازم دارد",
    "only the last band may be without an end": "تنها پلهٔ آخر می‌تواند بی‌پایان باشد",
    "add up_to_m = …": "`up_to_m = …` را اضافه کنید",
    "the band ends at {up_to_m} m, not beyond the one before": (
        "پایان این پله {up_to_m} متر است و از پلهٔ پیشین دورتر نیست"
    ),
    "put bands in rising order": "پله‌ها را از نزدیک به دور بچینید",
    'incomplete = "amount" needs it': 'برای `incomplete = "amount"` این کلید لازم است',
    'it has no effect while incomplete = "{incomplete}"': (
        'تا وقتی `incomplete = "{incomplete}"` است اثری ندارد'
    ),
    'write incomplete = "amount" or delete it': '`incomplete = "amount"` بنویسید یا آن را حذف کنید',
    'it has no effect while action = "refuse"': 'تا وقتی `action = "refuse"` است اثری ندارد',
    'write action = "load" or delete it': '`action = "load"` بنویسید یا آن را حذف کنید',
    # the folder or zip
    "there is no such folder or zip file": "چنین پوشه یا فایل زیپی نیست",
    "give the path of one": "مسیر درست را بنویسید",
    "it is neither a folder nor a file": "نه پوشه است و نه فایل",
    "give the path of a tariff folder or zip": "مسیر پوشه یا زیپ تعرفه را بنویسید",
    "it cannot be read ({detail})": "خوانده نمی‌شود ({detail})",
    "check that you may read it": "بررسی کنید که اجازهٔ خواندن آن را دارید",
    "it is not a readable zip file": "این فایل زیپ خواندنی نیست",
    "give a tariff folder, or export the zip again": "پوشهٔ تعرفه را بدهید، یا زیپ را دوباره بسازید",
    "it is no ordinary file": "فایل معمولی نیست",
    "it is a link": "پیوند است، نه خود فایل",
    "put the file itself into the folder": "خود فایل را در پوشه بگذارید",
    "put the file itself into the zip": "خود فایل را در زیپ بگذارید",
    "the zip is larger than {mib} MiB": "زیپ بزرگ‌تر از {mib} مگابایت است",
    "the files together are larger than {mib} MiB": "فایل‌ها روی هم بزرگ‌تر از {mib} مگابایت‌اند",
    "the file is larger than 1 MiB": "فایل بزرگ‌تر از ۱ مگابایت است",
    "the zip holds more than {most:,} files": "زیپ بیش از {most:,} فایل دارد",
    "the zip holds it twice": "این فایل دو بار در زیپ آمده است",
    "it is encrypted": "رمز دارد",
    "it is packed in a way that is not read here": "به روشی فشرده شده است که اینجا خوانده نمی‌شود",
    "make the zip with the usual compression (deflate)": (
        "فایل `zip` را با فشرده‌سازی معمول (`deflate`) بسازید"
    ),
    "its document comes to {kib:,} KiB, and buses take {most:,}": (
        "سند آن {kib:,} کیبی‌بایت می‌شود و اتوبوس‌ها {most:,} می‌پذیرند"
    ),
    "{value} holds a mark that nobody sees": "{value} نشانه‌ای دارد که کسی آن را نمی‌بیند",
    "type it again without the mark": "آن را بدون این نشانه دوباره بنویسید",
    "say it with fewer rows": "آن را با سطرهای کمتری بنویسید",
    "make the zip without a password": "زیپ را بدون گذرواژه بسازید",
    "the zip holds no file of a tariff": "در زیپ هیچ فایلی از تعرفه نیست",
    "zip the files themselves, or the one folder that holds them": (
        "خود فایل‌ها را زیپ کنید، یا همان یک پوشه را که در آن‌اند"
    ),
}
