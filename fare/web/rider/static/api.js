// The ledger's API for riders. An answer is a value, a refusal an ApiError with the ledger's word for it
// ("offline" when nobody answered). It keeps nothing.
import { learn } from "./clock.js";

const PATIENCE_MS = 20_000;

export class ApiError extends Error {
  constructor(code, retry_after_s = null) {
    super(code);
    this.code = code;
    this.retry_after_s = retry_after_s;
  }
}

export const ask = (path) => call(path, { method: "GET" });
export const say = (path, body) =>
  call(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

async function call(path, options) {
  const giveUp = new AbortController();
  const patience = setTimeout(() => giveUp.abort(), PATIENCE_MS);
  const asked_ms = performance.now();
  let answer;
  let told;
  try {
    answer = await fetch(`/rider/api/${path}`, {
      ...options,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: giveUp.signal,
    });
    told = await answer.json();
  } catch {
    throw new ApiError(answer ? "busy" : "offline");
  } finally {
    clearTimeout(patience);
  }
  if (!answer.ok) throw new ApiError(typeof told.error === "string" ? told.error : "busy", told.retry_after_s || null);
  if (told.server_time_ms) learn(told.server_time_ms, asked_ms, performance.now());
  return told;
}
