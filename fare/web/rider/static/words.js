// What the page says: one catalogue of a language, its digits, amounts, days and hours. The same keys in every
// language.
import { change, get } from "./store.js";

export const LANGUAGES = [
  ["fa", "فارسی"],
  ["en", "English"],
  ["azb", "تورکجه"],
  ["ckb", "کوردی"],
];
const PERSIAN = "۰۱۲۳۴۵۶۷۸۹";
const ARABIC = "٠١٢٣٤٥٦٧٨٩";
let catalogue = {};
let language = "fa";

// Speak the language that was chosen, Persian until one is.
export async function speakAsChosen() {
  await speak((await get("language")) || "fa");
}

export async function choose(chosen) {
  await speak(chosen);
  await change([], () => ({ language: chosen }));
}

async function speak(wanted) {
  const answer = await fetch(`/rider/texts/${wanted}.json`);
  if (!answer.ok) throw new Error(`no catalogue of ${wanted}`);
  catalogue = await answer.json();
  language = wanted;
  document.documentElement.lang = catalogue._language.tag;
  document.documentElement.dir = catalogue._language.dir;
}

export const spoken = () => language;
export const isReviewed = () => catalogue._language.reviewed;

// The text under a key with its {placeholders} filled in. A key that is missing is a fault of ours.
export function t(key, values = {}) {
  const text = catalogue[key];
  if (text === undefined) throw new Error(`no text ${key} in ${language}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// The sentence for a word of the ledger, with how long to wait where it says so; a word of tomorrow gets the sentence
// for anything else.
export function sentence(code, wait_s = null) {
  const known = catalogue[`error.${code}`] ? `error.${code}` : "error.unexpected";
  return t(known, { n: digits(Math.max(1, Math.ceil((wait_s || 600) / 60))) });
}

export function asciiDigits(text) {
  return text.replace(/[۰-۹٠-٩]/g, (digit) => String(Math.max(PERSIAN.indexOf(digit), ARABIC.indexOf(digit))));
}

export function digits(text) {
  return language === "en" ? String(text) : String(text).replace(/\d/g, (digit) => PERSIAN[Number(digit)]);
}

// An amount in toman, as it is spoken of; a rial that makes no whole toman is shown.
export function toman(amount_rial) {
  const tenths = Math.abs(amount_rial) % 10;
  const [group, point] = language === "en" ? [",", "."] : ["٬", "٫"];
  const whole = String(Math.floor(Math.abs(amount_rial) / 10)).replace(/\B(?=(\d{3})+$)/g, group);
  const sign = amount_rial < 0 ? "\u200e\u2212" : "";
  return t("amount", { amount: sign + digits(whole + (tenths ? point + tenths : "")) });
}

export function hour(at_ms) {
  const at = new Date(at_ms);
  return digits(`${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`);
}

// "سه‌شنبه ۳ آذر", or "Tuesday 24 November".
export function day(at_ms) {
  const at = new Date(at_ms);
  const { month, date } = language === "en" ? { month: at.getMonth() + 1, date: at.getDate() } : jalali(at);
  return t("date.day", {
    weekday: t("date.weekdays").split("|")[at.getDay()],
    date: digits(date),
    month: t("date.months").split("|")[month - 1],
  });
}

// The hour alone for today, the day and the hour for any other day.
export function moment(at_ms, now_ms) {
  const sameDay = new Date(at_ms).toDateString() === new Date(now_ms).toDateString();
  const tomorrow = new Date(at_ms).toDateString() === new Date(now_ms + 86_400_000).toDateString();
  const values = { day: day(at_ms), hour: hour(at_ms) };
  return t(sameDay ? "date.today_at" : tomorrow ? "date.tomorrow_at" : "date.at", values);
}

export function ago(at_ms, now_ms) {
  const minutes = Math.floor((now_ms - at_ms) / 60_000);
  if (minutes < 1) return t("ago.now");
  if (minutes < 60) return t("ago.minutes", { n: digits(minutes) });
  if (minutes < 48 * 60) return t("ago.hours", { n: digits(Math.floor(minutes / 60)) });
  return t("ago.days", { n: digits(Math.floor(minutes / 1440)) });
}

// {year, month, date} of the Persian calendar, from the browser where it knows it.
export function jalali(at, byBrowser = persianCalendar) {
  if (!byBrowser) return jalaliByCounting(at);
  const parts = {};
  for (const { type, value } of byBrowser.formatToParts(at)) parts[type] = parseInt(value, 10);
  return { year: parts.year, month: parts.month, date: parts.day };
}

const persianCalendar = (() => {
  try {
    const format = new Intl.DateTimeFormat("en-US-u-ca-persian-nu-latn", {
      year: "numeric",
      month: "numeric",
      day: "numeric",
    });
    return format.resolvedOptions().calendar === "persian" && format.formatToParts ? format : null;
  } catch {
    return null;
  }
})();

// Old WebViews come without the calendar. 33-year cycles from Farvardin 1, 1395 (20 March 2016) on: right from 1395
// to 1500.
export function jalaliByCounting(at) {
  let left = Math.round((Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) - Date.UTC(2016, 2, 20)) / 86_400_000);
  let year = 1395;
  const isLeap = (y) => [1, 5, 9, 13, 17, 22, 26, 30].includes(y % 33);
  for (; left >= (isLeap(year) ? 366 : 365); year += 1) left -= isLeap(year) ? 366 : 365;
  const month = left < 186 ? Math.floor(left / 31) : 6 + Math.floor((left - 186) / 30);
  return { year, month: month + 1, date: left - (month < 6 ? month * 31 : 186 + (month - 6) * 30) + 1 };
}
