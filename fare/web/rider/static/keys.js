// The phone's keys: a fresh P-256 key for each entitlement, which the browser signs with and never shows to
// anybody. A browser that cannot keep such a key across a reload gets one that can be written down, and with it
// only tickets of two hours: the ledger is told (keeps_key: false).
import { fromBase64Url, join, toBase64Url, ascii } from "./bytes.js";
import { change, get, namesWith, outlivesThePage, reopen } from "./store.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const ES256 = { name: "ECDSA", hash: "SHA-256" };
const POSSESSION = ascii("mancard phone key 1\0");
const UNUSED_KEY_LIFE_MS = 73 * 3600_000;
const THIS_PAGE = toBase64Url(crypto.getRandomValues(new Uint8Array(9)));
const nameOf = (id) => `key:${id}`;

// Make a key and keep it. Resolves to its id, which is its x. `locked` keys cannot be read by anybody, not even by
// this page.
export async function makeKey(locked = true) {
  const pair = await crypto.subtle.generateKey(CURVE, !locked, ["sign", "verify"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const [x, y] = [toBase64Url(point.slice(1, 33)), toBase64Url(point.slice(33))];
  const secret = locked ? pair.privateKey : await crypto.subtle.exportKey("jwk", pair.privateKey);
  try {
    await change([], () => ({ [nameOf(x)]: { secret, x, y, made_at_ms: Date.now(), page: THIS_PAGE } }));
  } catch (fault) {
    if (locked) return makeKey(false); // IndexedDB refuses a CryptoKey
    throw fault;
  }
  return x;
}

// Whether the key is locked and was truly kept: read anew, it still signs for its public half. With `reloaded`, an
// earlier page made it.
export async function isKept(id, reloaded = false) {
  try {
    await reopen();
    const kept = await get(nameOf(id));
    if (!kept || !outlivesThePage() || (reloaded && kept.page === THIS_PAGE)) return false;
    if (!(kept.secret instanceof CryptoKey) || kept.secret.extractable) return false;
    const dare = crypto.getRandomValues(new Uint8Array(32));
    const signature = await crypto.subtle.sign(ES256, kept.secret, dare);
    const point = join([4], fromBase64Url(kept.x), fromBase64Url(kept.y));
    const mate = await crypto.subtle.importKey("raw", point, CURVE, false, ["verify"]);
    return await crypto.subtle.verify(ES256, mate, signature, dare);
  } catch {
    return false;
  }
}

// A function that signs bytes with the key: r || s. null when the key is not here.
export async function signerOf(id) {
  const kept = await get(nameOf(id));
  if (!kept) return null;
  try {
    const key =
      kept.secret instanceof CryptoKey
        ? kept.secret
        : await crypto.subtle.importKey("jwk", kept.secret, CURVE, false, ["sign"]);
    return async (bytes) => new Uint8Array(await crypto.subtle.sign(ES256, key, bytes));
  } catch {
    return null; // what was kept is no key: as good as lost
  }
}

// What the API takes to believe that we hold the key: {key: {x, y}, proof}. null when the key is not here.
export async function possession(id, challenge) {
  const kept = await get(nameOf(id));
  const sign = await signerOf(id);
  if (!kept || !sign) return null;
  const proof = await sign(join(POSSESSION, fromBase64Url(challenge), fromBase64Url(kept.x), fromBase64Url(kept.y)));
  return { key: { x: kept.x, y: kept.y }, proof: toBase64Url(proof) };
}

// Throw away keys of no ticket any more; `ids` are those still needed.
export async function dropKeysExcept(ids) {
  const needed = new Set(ids.map(nameOf));
  for (const name of await namesWith("key:"))
    if (!needed.has(name))
      await change([name], (now) =>
        now[name] && Date.now() - now[name].made_at_ms < UNUSED_KEY_LIFE_MS ? {} : { [name]: undefined },
      );
}
