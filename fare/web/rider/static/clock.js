// The ledger's time on a phone whose own clock may be wrong: the offset is learnt from each answer and kept. It is
// dropped on any jump of the phone's clock: while the page is seen, the wall clock must run like the steady one.
// Time that passes while the page is hidden may only be seen to run ahead (a sleeping phone stops the steady
// clock).
import { change, get } from "./store.js";

const JUMP_MS = 2000;
const SLOWEST_ANSWER_MS = 10_000;
let offset_ms = null;
let anchor = anchorNow();
let wasHidden = false;

function anchorNow() {
  return { wall_ms: Date.now(), steady_ms: performance.now() };
}

const keep = () =>
  change([], () => ({ clock: offset_ms === null ? undefined : { offset_ms, seen_at_ms: Date.now() } })).catch(() => {});

// Take up what was learnt at an earlier visit, unless the clock has gone back since.
export async function restore() {
  const kept = await get("clock");
  if (kept && Date.now() >= kept.seen_at_ms - JUMP_MS) offset_ms = kept.offset_ms;
}

// Learn from an answer that named the ledger's time; `asked_ms` and `answered_ms` are performance.now() around it.
export function learn(server_ms, asked_ms, answered_ms) {
  if (answered_ms - asked_ms > SLOWEST_ANSWER_MS) return;
  anchor = anchorNow();
  wasHidden = document.hidden;
  offset_ms = Math.round(server_ms + (answered_ms - asked_ms) / 2 + (anchor.steady_ms - answered_ms) - anchor.wall_ms);
  keep();
}

// Whether the phone's clock stands by the ledger's.
export function isKnown() {
  look();
  return offset_ms !== null;
}

// Unix milliseconds, by the ledger's clock where it is known and by the phone's own where not.
export function now_ms() {
  look();
  return Date.now() + (offset_ms === null ? 0 : offset_ms);
}

function look() {
  const seen = anchorNow();
  const gained_ms = seen.wall_ms - anchor.wall_ms - (seen.steady_ms - anchor.steady_ms);
  const asleep = wasHidden && gained_ms > 0;
  if (Math.abs(gained_ms) > JUMP_MS && !asleep && offset_ms !== null) {
    offset_ms = null;
    keep();
  }
  anchor = seen;
  wasHidden = document.hidden;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    look();
    wasHidden = true;
    if (offset_ms !== null) keep();
  }
});
