// This phone and its rider, as last told by the ledger and as kept for days without a network. It keeps the ticket
// fresh: on opening, every ten minutes, whenever the network returns, and whenever the ledger says that a new one
// is due.
import { ApiError, ask, say } from "./api.js";
import { now_ms, restore } from "./clock.js";
import { dropKeysExcept, isKept, makeKey, possession } from "./keys.js";
import { change, forget, get, namesWith } from "./store.js";
import { beginRide, dropAll, takeIn } from "./tickets.js";

const EVERY_MS = 10 * 60_000;
const PENDING_LIFE_MS = 10 * 60_000;

// What the views show. `account` is null on a phone that is not enrolled; `pending` a one-time code that is on its
// way.
export const state = {
  account: null,
  refreshed_at_ms: 0,
  tickets: [],
  ride: null,
  pending: null,
  wasSignedOut: false,
  online: navigator.onLine,
};
const followers = new Set();
let refreshing = null;

export function follow(follower) {
  followers.add(follower);
  return () => followers.delete(follower);
}

function tell() {
  for (const follower of followers) follower();
}

// Read what the phone keeps. Nothing is asked of anybody.
export async function load() {
  await restore();
  const kept = await change(["account", "refreshed_at_ms", "tickets", "ride", "pending"], () => ({}));
  Object.assign(state, {
    account: kept.account || null,
    refreshed_at_ms: kept.refreshed_at_ms || 0,
    tickets: kept.tickets || [],
    ride: kept.ride || null,
  });
  state.pending =
    kept.pending && Math.abs(Date.now() - kept.pending.sent_at_ms) < PENDING_LIFE_MS ? kept.pending : null;
  tell();
}

export function keepFresh() {
  const again = () => !document.hidden && state.account && refresh().catch(() => {});
  setInterval(again, EVERY_MS);
  addEventListener("online", () => {
    state.online = true;
    tell();
    again();
  });
  addEventListener("offline", () => {
    state.online = false;
    tell();
  });
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden) return;
    await load(); // another page of ours may have begun a ride meanwhile
    if (Date.now() - state.refreshed_at_ms > EVERY_MS || !state.online) again();
  });
}

// Ask the ledger for the account, and for the next ticket when one is due. Rejects with an ApiError.
export function refresh() {
  if (!refreshing) refreshing = whileAlone(refreshNow).finally(() => (refreshing = null));
  return refreshing;
}

// Two open pages must not ask for two tickets.
const whileAlone = (work) => (navigator.locks ? navigator.locks.request("mancard-refresh", work) : work());

async function refreshNow() {
  try {
    await take(await ask("account"));
    if (state.account.refresh_due) await nextTicket();
    state.online = true;
  } catch (fault) {
    await understand(fault);
    throw fault;
  } finally {
    tell();
  }
}

async function understand(fault) {
  if (!(fault instanceof ApiError)) return;
  state.online = fault.code !== "offline";
  if (fault.code !== "signed_out") return;
  await change([], () => ({ account: undefined }));
  await dropAll();
  // Whoever looks at this phone next is told why it asks for a number.
  Object.assign(state, { account: null, tickets: [], ride: null, wasSignedOut: state.account !== null });
}

async function nextTicket() {
  const id = await makeKey((await get("keeps_key")) !== false);
  const proof = await possession(id, state.account.challenge);
  try {
    await take(await say("ticket", { ...proof, keeps_key: await isKept(id) }));
  } catch (fault) {
    // Not due after all, or the money has just been spent: the account says so the next time.
    if (fault.code === "offline" || fault.code === "signed_out") throw fault;
  }
}

async function take(account) {
  const refreshed_at_ms = Date.now();
  if (account.phone.state === "live") {
    const keys = (await namesWith("key:")).map((name) => name.slice(4));
    state.tickets = await takeIn(account.ticket, keys, now_ms());
  } else {
    await dropAll();
    Object.assign(state, { tickets: [], ride: null });
  }
  await change([], () => ({ account, refreshed_at_ms }));
  Object.assign(state, { account, refreshed_at_ms });
  const used = state.tickets.map((ticket) => ticket.key);
  await dropKeysExcept(used);
}

// Begin a ride for `pax` people; resolves to it, or to null when no ticket has room.
export async function ride(pax) {
  const begun = await beginRide(pax, now_ms());
  state.tickets = begun.tickets;
  if (begun.ride) state.ride = begun.ride;
  tell();
  return begun.ride;
}

// Ask for a one-time code. A key is made at once, so that the reload before the code is typed shows whether it was
// kept.
export async function wantCode(mobile, purpose) {
  const told = await say("code", { mobile });
  const sent_at_ms = Date.now();
  const key = purpose === "enrol" ? await makeKey() : null;
  const pending = {
    mobile,
    purpose,
    key,
    challenge: told.challenge,
    sandbox: told.sandbox,
    sent_at_ms,
    again_at_ms: sent_at_ms + told.again_after_s * 1000,
  };
  await change([], () => ({ pending }));
  state.pending = pending;
}

export async function dropPending() {
  await change([], () => ({ pending: undefined }));
  state.pending = null;
}

// Enrol this phone with the code that was typed.
export async function enrol(code) {
  const { mobile, challenge } = state.pending;
  let key = state.pending.key;
  let keeps_key = await isKept(key, true);
  let proof = await possession(key, challenge);
  if (!keeps_key || !proof) {
    key = await makeKey(false);
    keeps_key = false;
    proof = await possession(key, challenge);
  }
  const account = await say("enrol", { mobile, code, ...proof, keeps_key });
  await dropAll();
  await change([], () => ({ pending: undefined, keeps_key }));
  Object.assign(state, { pending: null, ride: null, wasSignedOut: false, online: true });
  await take(account);
  if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => {});
  if (state.account.refresh_due) await nextTicket().catch(() => {});
  tell();
}

export async function reportLost(code) {
  const told = await say("lost", { mobile: state.pending.mobile, code });
  await dropPending();
  if (state.account) await refresh().catch(() => {});
  return told.denied_tickets;
}

export async function answerForNewerPhone(mine) {
  await take(await say("phone/answer", { mine }));
  if (state.account.refresh_due) await nextTicket().catch(() => {});
  tell();
}

export async function leave() {
  await say("sign-out", {});
  await forget();
  Object.assign(state, { account: null, tickets: [], ride: null, pending: null });
  tell();
}
