"""What can be wrong with a tariff, in Persian: for each English template its words. It knows no rules.

What stands between grave accents is typed as it is, from left to right; what is in braces is as in the
English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fare.core.tariff.loading.words_fa_cases import CASE_WORDS
from fare.core.tariff.loading.words_fa_toml import TOML_WORDS

WORDS: Final[Mapping[str, str]] = {
    # how sentences are put together
    "{file}{row}{column}: {problem}. Do: {mend}.": "{file}{row}{column}: {problem}. {mend}.",
    ", row {row}": "، سطر {row}",
    ", column {column}": "، ستون {column}",
    "{these} or {that}": "{these} یا {that}",
    "{these} and {that}": "{these} و {that}",
    "{these}, {that}": "{these}، {that}",
    "{these} {that}": "{these} {that}",
    " and {count} more": " و {count} مورد دیگر",
    "The tariff has 1 fault.": "تعرفه ۱ خطا دارد.",
    "The tariff has {count} faults.": "تعرفه {count} خطا دارد.",
    "there are more faults than the {most:,} that are listed": (
        "خطاها از این {most:,} موردِ فهرست‌شده بیشتر است"
    ),
    "there are more warnings than the {most:,} that are listed": (
        "هشدارها از این {most:,} موردِ فهرست‌شده بیشتر است"
    ),
    "mend those above and check again": "موارد بالا را درست کنید و دوباره بررسی کنید",
    "the folder": "پوشه",
    "the upload": "فایل بارگذاری‌شده",
    "the zip": "زیپ",
    "Fault: {fault}": "خطا: {fault}",
    "Warning: {warning}": "هشدار: {warning}",
    "1 fault": "۱ خطا",
    "{count:,} faults": "{count:,} خطا",
    "1 warning": "۱ هشدار",
    "{count:,} warnings": "{count:,} هشدار",
    "1 product": "۱ محصول",
    "{count:,} products": "{count:,} محصول",
    "1 leg rule": "۱ قاعدهٔ سفر",
    "{count:,} leg rules": "{count:,} قاعدهٔ سفر",
    "The tariff has {warnings}: mend them, or add --accept-warnings.": (
        "تعرفه {warnings} دارد: آن‌ها را درست کنید، یا `--accept-warnings` را اضافه کنید."
    ),
    "The tariff cannot be used: {faults}, {warnings}.": "تعرفه به کار نمی‌آید: {faults}، {warnings}.",
    "The tariff has no fault ({products}, {rules}, in {currency}), {warnings}.": (
        "تعرفه خطایی ندارد ({products}، {rules}، به {currency})، {warnings}."
    ),
    "a very large number": "عددی بسیار بزرگ",
    "a list": "فهرست",
    "a table": "جدول",
    # ids and rows of any file
    "{value} is not in {where}": "{value} در {where} نیست",
    "add it to {where} or correct it here": "آن را به {where} اضافه کنید یا اینجا تصحیح کنید",
    "write {name} if that is meant, or add it there": (
        "اگر منظور {name} است همان را بنویسید، وگرنه آن را آنجا اضافه کنید"
    ),
    "write {name} if that is meant": "اگر منظور {name} است همان را بنویسید",
    "{value} is already in row {row}": "{value} پیش‌تر در سطر {row} آمده است",
    "keep one row for it": "تنها یک سطر برای آن نگه دارید",
    "row {row} has the same {what}": "سطر {row} همین {what} را دارد",
    "product, category and medium": "محصول، گروه مسافر و وسیلهٔ پرداخت",
    "leg and product": "سفر و محصول",
    "networks and stops": "شبکه‌ها و ایستگاه‌ها",
    "groups, product, count and limit": "گروه‌ها، محصول، تعداد و مهلت",
    "row {row} has the same service and date": "سطر {row} همین سرویس و همین تاریخ را دارد",
    "keep one of the two rows": "یکی از دو سطر را نگه دارید",
    "keep one of them": "یکی از آن‌ها را نگه دارید",
    "keep one of the two": "یکی از دو تا را نگه دارید",
    "delete the row": "سطر را حذف کنید",
    "delete the rule": "قاعده را حذف کنید",
    "delete it": "آن را حذف کنید",
    "delete them": "آن‌ها را حذف کنید",
    "delete one of the two": "یکی از دو تا را حذف کنید",
    "correct one of the two": "یکی از دو تا را تصحیح کنید",
    "correct one of the two dates": "یکی از دو تاریخ را تصحیح کنید",
    "leave some out": "چند مورد را کنار بگذارید",
    "fill in both or none": "هر دو را پر کنید یا هیچ‌کدام را",
    # values
    "{value} is not an amount": "{value} مبلغ نیست",
    "write digits with a point and no other marks, such as {example}": (
        "تنها رقم بنویسید و اگر لازم است نقطهٔ اعشار، بدون نشانهٔ دیگر، مانند {example}"
    ),
    "{value} has more decimals than the currency, which has {allowed}": (
        "رقم‌های اعشار {value} بیشتر از ارز تعرفه است، که {allowed} دارد"
    ),
    "no decimals": "هیچ رقم اعشاری",
    "at most {most} decimals": "حداکثر {most} رقم اعشار",
    "{value} is more than any fare": "{value} از هر کرایه‌ای بیشتر است",
    "{value} is too little": "{value} کمتر از حد مجاز است",
    "write a number without quotes, such as {example}": "عدد را بدون علامت نقل قول بنویسید، مانند {example}",
    "{value} is not one of the whole numbers {span}": "{value} عدد صحیح {span} نیست",
    "from {least:,} on": "از {least:,} به بالا",
    "from {least} to {most:,}": "از {least} تا {most:,}",
    "{value} is not one of the whole numbers from {least} to {most:,}": (
        "{value} عدد صحیح از {least} تا {most:,} نیست"
    ),
    "{value} is not a number from 1 to {most:,}": "{value} عددی از ۱ تا {most:,} نیست",
    "write such a number": "چنین عددی بنویسید",
    "{value} is not a time": "{value} ساعت نیست",
    "write HH:MM:SS, such as 06:30:00": "ساعت را به شکل `HH:MM:SS` بنویسید، مانند `06:30:00`",
    "{value} is after 24:00:00": "{value} پس از `24:00:00` است",
    "end the row at 24:00:00 and begin another at 00:00:00": (
        "این سطر را در `24:00:00` پایان دهید و سطر دیگری از `00:00:00` آغاز کنید"
    ),
    "{value} is not a date": "{value} تاریخ نیست",
    "write YYYYMMDD, such as 20260321": "تاریخ میلادی را به شکل `YYYYMMDD` بنویسید، مانند `20260321`",
    'write it as "2026-03-21", or in the Jalali calendar as "1405-01-01"': (
        'آن را به شکل `"2026-03-21"` بنویسید، یا شمسی به شکل `"1405-01-01"`'
    ),
    "{value} is not a list of at most 1,000 dates": "{value} فهرستی از حداکثر ۱٬۰۰۰ تاریخ نیست",
    'write {key} = ["2026-03-21"]': '`{key} = ["2026-03-21"]` بنویسید',
    "{value} is not a time of day": "{value} ساعتِ روز نیست",
    'write it in quotes, such as "03:00"': 'آن را میان علامت نقل قول بنویسید، مانند `"03:00"`',
    "{value} is not a day of the week": "{value} نام روز هفته نیست",
    'write one such as "saturday"': 'نام انگلیسی روز را بنویسید، مانند `"saturday"`',
    "the days monday to sunday": "روزهای `monday` تا `sunday`",
    "{value} is not a time zone": "{value} منطقهٔ زمانی نیست",
    "write one such as Asia/Tehran": "منطقه‌ای مانند `Asia/Tehran` بنویسید",
    'write one such as "Asia/Tehran"': 'منطقه‌ای مانند `"Asia/Tehran"` بنویسید',
    "{value} is not a currency code": "{value} کد ارز نیست",
    "write three capitals, such as IRR": "سه حرف بزرگ لاتین بنویسید، مانند `IRR`",
    'write three capitals, such as "IRR"': 'سه حرف بزرگ لاتین بنویسید، مانند `"IRR"`',
    "{value} is not a name": "{value} نام نیست",
    "write a text in quotes": "متنی میان علامت نقل قول بنویسید",
    "{value} is neither true nor false": "{value} نه `true` است و نه `false`",
    "write true or false without quotes": "`true` یا `false` را بدون علامت نقل قول بنویسید",
    "{value} is not known here": "{value} اینجا شناخته نیست",
    "write {words}": "{words} بنویسید",
    "{value} is not a list of ids": "{value} فهرستی از شناسه‌ها نیست",
    'write {key} = ["…", "…"]': '`{key} = ["…", "…"]` بنویسید',
    # text files
    "the file is missing": "این فایل نیست",
    "add {file}: no fare is known without it": "{file} را اضافه کنید: بدون آن هیچ کرایه‌ای معلوم نیست",
    "the file is empty": "فایل خالی است",
    "the file has no rows": "فایل هیچ سطری ندارد",
    "add a row for each product and its price": "برای هر محصول و بهای آن یک سطر اضافه کنید",
    "add a row for each leg and its product": "برای هر سفر و محصول آن یک سطر اضافه کنید",
    "write the names of the columns into its first line": "نام ستون‌ها را در سطر نخست آن بنویسید",
    "the columns are not separated by commas": "ستون‌ها با ویرگول لاتین از هم جدا نشده‌اند",
    "save the file again as comma-separated text (CSV) in UTF-8": (
        "فایل را دوباره با قالب `CSV` و کدگذاری `UTF-8` ذخیره کنید"
    ),
    "the column is missing": "این ستون نیست",
    "add {name} to the first line and fill it in": "{name} را به سطر نخست اضافه کنید و آن را پر کنید",
    "the column is there twice": "این ستون دو بار آمده است",
    "nobody reads this column": "این ستون خوانده نمی‌شود",
    "this field is empty, but every row needs it": "این خانه خالی است، ولی در هر سطر لازم است",
    "fill in the {column}": "{column} را پر کنید",
    "the row has {cells} fields under {columns} columns": "سطر {cells} خانه دارد و تنها {columns} ستون هست",
    "put quotes around a value that holds a comma": 'مقداری را که ویرگول دارد میان دو علامت `"` بگذارید',
    "a field is longer than {most:,} characters": "خانه‌ای بیش از {most:,} نویسه دارد",
    "shorten it": "آن را کوتاه کنید",
    "check the quotes around this row's values": 'علامت‌های `"` دور مقدارهای این سطر را بررسی کنید',
    "this is not well-formed CSV ({detail})": "این متن `CSV` درستی نیست ({detail})",
    "the text is not UTF-8": "کدگذاری متن `UTF-8` نیست",
    "the text holds a zero byte": "متن بایت صفر دارد",
    "there are more than {most:,} lines": "بیش از {most:,} سطر هست",
    "the files together have more than {most:,} lines": "فایل‌ها روی هم بیش از {most:,} سطر دارند",
    "leave out what the tariff does not need": "آنچه را تعرفه لازم ندارد کنار بگذارید",
    # the network
    "{value} is another time zone than in the rows above": "منطقهٔ زمانی {value} با سطرهای بالا یکی نیست",
    "give all agencies the same one, as GTFS asks": (
        "چنان که `GTFS` می‌خواهد، برای همهٔ شرکت‌ها یک منطقه بنویسید"
    ),
    "routes.txt names networks too, and GTFS allows only one of both": (
        "در `routes.txt` هم شبکه‌ها آمده‌اند و `GTFS` تنها یکی از این دو را می‌پذیرد"
    ),
    "delete this file, or the column network_id of routes.txt": (
        "این فایل را حذف کنید، یا ستون `network_id` را از `routes.txt`"
    ),
    "{value} is already in this area": "{value} پیش‌تر در همین ناحیه آمده است",
    # services and times
    "the service ends before it begins": "پایان سرویس پیش از آغاز آن است",
    "only one of start_time and end_time is filled in": "از `start_time` و `end_time` تنها یکی پر شده است",
    "fill in both, or none for all day": "هر دو را پر کنید، یا برای تمام روز هیچ‌کدام را",
    "calendar.txt, which is missing here": "`calendar.txt` (که در پوشه نیست)",
    "add the service's days there": "روزهای این سرویس را آنجا اضافه کنید",
    "the time ends before it begins": "پایان این زمان پیش از آغاز آن است",
    "split a night at 24:00:00 into two rows": "بازهٔ شبانه را در `24:00:00` به دو سطر تقسیم کنید",
    "the time overlaps that of row {row} of the same group": (
        "این زمان با زمان سطر {row} از همان گروه هم‌پوشانی دارد"
    ),
    "end one where the other begins": "یکی را همان جا پایان دهید که دیگری آغاز می‌شود",
    # fares and transfers
    "row {row} is the default category already": "سطر {row} پیش‌تر گروه پایه شده است",
    "no category is the default one": "هیچ گروهی گروه پایه نیست",
    "mark exactly one row with 1": "درست در یک سطر `1` بنویسید",
    "{currency} is another currency than the tariff's {ours}": (
        "ارز {currency} با ارز تعرفه، {ours}، یکی نیست"
    ),
    "give all products in one currency": "همهٔ محصول‌ها را با یک ارز بنویسید",
    "only one of from_{what} and to_{what} is filled in": (
        "از `from_{what}` و `to_{what}` تنها یکی پر شده است"
    ),
    "it must be empty where a transfer goes from one leg group to another": (
        "وقتی تغییر خط از یک گروه سفر به گروهی دیگر است، این خانه باید خالی باشد"
    ),
    "empty it, or give the same group twice": "آن را خالی کنید، یا در هر دو خانه یک گروه بنویسید",
    "it is required where from_leg_group_id and to_leg_group_id are the same": (
        "وقتی `from_leg_group_id` و `to_leg_group_id` یکی است، این خانه لازم است"
    ),
    "write -1 for any number of transfers, or 1 or more": (
        "برای هر تعداد تغییر خط `-1` بنویسید، وگرنه ۱ یا بیشتر"
    ),
    "0 allows no transfer at all": "با ۰ هیچ تغییر خطی ممکن نیست",
    "write -1 or 1 or more, or delete the row": "`-1` یا ۱ یا بیشتر بنویسید، یا سطر را حذف کنید",
    "it is required where duration_limit is filled in": "وقتی `duration_limit` پر شده است، این خانه لازم است",
    "write 1 for departure to departure, or 0, 2 or 3": (
        "برای مهلت از حرکت تا حرکت ۱ بنویسید، وگرنه ۰، ۲ یا ۳"
    ),
    "it must be empty where duration_limit is": "وقتی `duration_limit` خالی است، این خانه هم باید خالی باشد",
    "empty it or give a limit": "آن را خالی کنید یا مهلت را بنویسید",
    "a leg would cost less than nothing with {value}": "با {value} کرایهٔ یک سفر کمتر از صفر می‌شود",
    "write an amount that is not below zero; only transfers may take something off": (
        "مبلغی بنویسید که زیر صفر نباشد؛ تنها تغییر خط می‌تواند از کرایه کم کند"
    ),
    "a journey with this transfer could cost less than nothing{who}": (
        "سفری با این تغییر خط{who} ممکن است کمتر از صفر هزینه داشته باشد"
    ),
    " for rider category {value}": " برای گروه مسافر {value}",
    "raise the amount, or limit the transfers with transfer_count": (
        "مبلغ را بیشتر کنید، یا تعداد تغییر خط را با `transfer_count` محدود کنید"
    ),
    # legs without a fare
    "no rule gives a fare {where}": "هیچ قاعده‌ای {where} کرایه‌ای نمی‌دهد",
    "no rule gives a fare {where} {gap}": "هیچ قاعده‌ای {where} {gap} کرایه‌ای نمی‌دهد",
    (
        "no rule gives a fare {where}; most stops there allow either boarding or alighting alone, but not all"
    ): (
        "هیچ قاعده‌ای {where} کرایه‌ای نمی‌دهد؛ در بیشتر ایستگاه‌های آنجا تنها سوار شدن یا تنها "
        "پیاده شدن ممکن است، ولی نه در همه"
    ),
    "add a leg rule, or a product under [default_fare] in mancard.toml": (
        "یک قاعدهٔ سفر اضافه کنید، یا محصولی زیر `[default_fare]` در `mancard.toml`"
    ),
    "close the others too in stop_times.txt (pickup_type, drop_off_type), or add a leg rule": (
        "ایستگاه‌های دیگر را هم در `stop_times.txt` ببندید (`pickup_type` و `drop_off_type`)، یا "
        "یک قاعدهٔ سفر اضافه کنید"
    ),
    "on route {route}": "در خط {route}",
    "on network {network}": "در شبکهٔ {network}",
    "(network {network})": "(شبکهٔ {network})",
    "on any route": "در هیچ خطی",
    "area {areas}": "ناحیهٔ {areas}",
    "outside all areas": "بیرون از همهٔ ناحیه‌ها",
    "from {start} to {end}": "از {start} تا {end}",
    "from {start} to {end} on days like {day}": "از ساعت {start} تا {end} در روزهایی مانند {day}",
    "rider category {value} has no fare {where}: its products are not sold to it": (
        "گروه مسافر {value} {where} کرایه‌ای ندارد: محصول‌های آنجا به این گروه فروخته نمی‌شود"
    ),
    "add a row to fare_products.txt for this category, or one without a category": (
        "در `fare_products.txt` سطری برای این گروه اضافه کنید، یا سطری بدون گروه"
    ),
    "{problem}: legs without a fare may be overlooked": "{problem}: شاید سفرهای بی‌کرایه دیده نشوند",
    "give the trips to the check if the fares depend on areas": (
        "اگر کرایه به ناحیه بستگی دارد، برنامهٔ حرکت را هم برای بررسی بگذارید"
    ),
    "stop_times.txt is missing or has more than {most:,} rows": (
        "`stop_times.txt` نیست یا بیش از {most:,} سطر دارد"
    ),
    "the trips could not be read ({file}: {problem})": "برنامهٔ حرکت خوانده نشد ({file}: {problem})",
    "the feed has more different trips than are looked at": "حرکت‌های گوناگون بیش از آن است که بررسی شود",
    # what has no effect, and what surprises
    "the services of {value} in {timeframes} run on no day, so the rule can never match": (
        "سرویس‌های {value} در {timeframes} هیچ روزی برقرار نیستند، پس این قاعده هرگز به کار نمی‌آید"
    ),
    "correct the calendar or delete the rule": "تقویم را تصحیح کنید یا قاعده را حذف کنید",
    "{value} has no {what}, so the rule can never match": (
        "{value} هیچ {what} ندارد، پس این قاعده هرگز به کار نمی‌آید"
    ),
    "give it a {what} or delete the rule": "برای آن {what} بنویسید یا قاعده را حذف کنید",
    (
        "an empty field means all that is not listed in this column, and all is listed, so the "
        "rule can never match"
    ): ("خانهٔ خالی یعنی هر چه در این ستون نیامده، و همه آمده‌اند، پس این قاعده هرگز به کار نمی‌آید"),
    "delete the rule, or add rule_priority": "قاعده را حذف کنید، یا ستون `rule_priority` را اضافه کنید",
    "row {row} holds for the same legs with a higher priority, so the rule can never match": (
        "سطر {row} با اولویت بالاتر همین سفرها را در بر می‌گیرد، پس این قاعده هرگز به کار نمی‌آید"
    ),
    "raise its priority or delete it": "اولویت آن را بالا ببرید یا حذفش کنید",
    (
        "an empty field means all groups that are not listed in this column, and all are listed, "
        "so the rule can never match"
    ): ("خانهٔ خالی یعنی هر گروهی که در این ستون نیامده، و همه آمده‌اند، پس این قاعده هرگز به کار نمی‌آید"),
    "no rule, pass or concession names {value}, so nobody can buy it": (
        "نام {value} در هیچ قاعده، اشتراک یا تخفیفی نیامده است، پس کسی نمی‌تواند آن را بخرد"
    ),
    "name it in a rule, or delete it": "نام آن را در قاعده‌ای بیاورید، یا حذفش کنید",
    "no tap here is made with {value}, so its prices are never charged": (
        "اینجا کسی با {value} نمی‌پردازد، پس بهای آن هرگز گرفته نمی‌شود"
    ),
    "say under [media] in mancard.toml what it stands for": (
        "زیر `[media]` در `mancard.toml` بنویسید به جای چیست"
    ),
    (
        "some rules ask where or when riders alight, but nobody taps off, so they match as if nobody alighted"
    ): (
        "برخی قاعده‌ها به جا یا زمان پیاده شدن بستگی دارند، ولی کسی هنگام پیاده شدن کارت "
        "نمی‌زند، پس چنان حساب می‌شوند که گویی کسی پیاده نشده است"
    ),
    "enable tap_off or rewrite those rules": "`tap_off` را فعال کنید یا آن قاعده‌ها را از نو بنویسید",
    "some rules ask where or when riders alight, so riders have to tap off at a reader at the exit": (
        "برخی قاعده‌ها به جا یا زمان پیاده شدن بستگی دارند، پس مسافران باید هنگام پیاده شدن هم کارت بزنند"
    ),
    "write a table [tap_off] that says how, or enabled = false": (
        "جدول `[tap_off]` را بنویسید و چگونگی آن را بگویید، یا `enabled = false`"
    ),
    "travelling further may cost less: {problem}": "شاید سفر دورتر ارزان‌تر شود: {problem}",
    "look whether that is meant": "ببینید آیا منظور همین است",
    "a fare depends on the time of alighting, and who travels further arrives later": (
        "کرایه‌ای به زمان پیاده شدن بستگی دارد و هر که دورتر می‌رود دیرتر می‌رسد"
    ),
    "the tap-off decides timeframes and caps, and who travels further arrives later": (
        "بازه‌های زمانی و سقف‌ها با زمان پیاده شدن تعیین می‌شوند و هر که دورتر می‌رود دیرتر می‌رسد"
    ),
    "fares depend on areas, and no trips tell which area lies beyond another": (
        "کرایه به ناحیه بستگی دارد و برنامهٔ حرکتی نیست که بگوید کدام ناحیه دورتر است"
    ),
    "transfers depend on leg groups, and those on where riders alight": (
        "تغییر خط به گروه سفر بستگی دارد و گروه سفر به جای پیاده شدن"
    ),
    "in distance fare {name} band {place} costs less than the band before": (
        "در کرایهٔ مسافتی {name} پلهٔ {place} از پلهٔ پیش از خود ارزان‌تر است"
    ),
    "a reduction or a distance fare holds for some destinations only": (
        "تخفیف یا کرایه‌ای مسافتی تنها برای برخی مقصدهاست"
    ),
    "the trips are too many to compare all fares along them": (
        "حرکت‌ها بیش از آن است که همهٔ کرایه‌ها در طول آن‌ها مقایسه شود"
    ),
    "on route {route} {here} to {beyond} costs less than to {before} before it": (
        "در خط {route} از {here} تا {beyond} ارزان‌تر است تا {before} که پیش از آن است"
    ),
    # room on the card
    "window {one}": "مهلت تغییر خط {one}",
    "cap {one}": "سقف {one}",
    "pass {one}": "اشتراک {one}",
    "joins": "سفرهای به‌هم‌پیوسته",
    "transfers": "تغییر خط",
    (
        "the card's record has no room for {part}: the bus does not apply it, and the ledger "
        "settles the difference later"
    ): ("در حافظهٔ کارت برای {part} جا نیست: اتوبوس آن را حساب نمی‌کند و تفاوت بعداً در دفتر تسویه می‌شود"),
    "nothing if that is meant; fewer or simpler tables leave more room": (
        "اگر منظور همین است کاری لازم نیست؛ وگرنه جدول‌ها را کمتر یا ساده‌تر کنید تا جا باز شود"
    ),
    "the card's record has no room for {part}: its rides would not be counted": (
        "در حافظهٔ کارت برای {part} جا نیست: سفرهای آن شمرده نمی‌شد"
    ),
    "leave out {parts}": "{parts} را کنار بگذارید",
    "leave out some of {parts}": "برخی از این‌ها را کنار بگذارید: {parts}",
    "{mend}, or give the pass a length instead of rides": (
        "{mend}، یا برای اشتراک به جای تعداد سفر مدت بنویسید"
    ),
    **TOML_WORDS,
    **CASE_WORDS,
}
