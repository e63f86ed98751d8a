// Draws the ticket's code and keeps it alive: a new frame every ten seconds, the screen kept awake.
// Level M at version 12 or below, alphanumeric, whole device pixels to a module: a scanner sees sharp edges.
import { correction, generate, mode } from "./vendor/lean-qr.mjs";
import { fromBase64Url } from "./bytes.js";
import { now_ms } from "./clock.js";
import { signerOf } from "./keys.js";
import { ticketText } from "./mc1.js";

export const FRAME_MS = 10_000;
// How long the code stands as it is before it is turned by a quarter. A crack of the screen through one of its three eyes
// hides it from a scanner, and only a turn moves the eyes away from there.
const TURN_MS = 2_000;
const QUIET_ZONE = 4;
const MOST_PX = 640;

// The code of `text`. Throws for a text that does not fit version 12.
export const codeOf = (text) =>
  generate(text, {
    modes: [mode.alphaNumeric],
    minCorrectionLevel: correction.M,
    maxCorrectionLevel: correction.M,
    maxVersion: 12,
  });

// Draw a code on a canvas as large as `room_px` (CSS pixels) allows, turned by so many quarters to the right.
export function draw(canvas, code, room_px, quarters = 0) {
  const side = code.size + 2 * QUIET_ZONE;
  const density = window.devicePixelRatio || 1;
  const module_px = Math.max(1, Math.floor((Math.min(room_px, MOST_PX) * density) / side));
  // Whole CSS pixels around it: a half one would have the browser stretch some module.
  const side_px = Math.ceil((side * module_px) / density);
  canvas.width = canvas.height = Math.round(side_px * density);
  canvas.style.width = canvas.style.height = `${side_px}px`;
  const pen = canvas.getContext("2d", { alpha: false });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000";
  const far = code.size - 1;
  const isDark = [
    (x, y) => code.get(x, y),
    (x, y) => code.get(y, far - x),
    (x, y) => code.get(far - x, far - y),
    (x, y) => code.get(far - y, x),
  ][quarters % 4];
  for (let y = 0; y < code.size; y += 1)
    for (let x = 0; x < code.size; x += 1)
      if (isDark(x, y))
        pen.fillRect((x + QUIET_ZONE) * module_px, (y + QUIET_ZONE) * module_px, module_px, module_px);
  canvas.dataset.quarters = String(quarters % 4);
}

// Show a ride's code on `canvas` until the returned function is called. `onSecond(seconds left of this frame)` each
// second; `onFault()` when the key is not here any more.
export function showRide(canvas, ticket, ride, { room_px, onSecond, onFault }) {
  const entitlement = fromBase64Url(ticket.entitlement);
  let code = null;
  let shown_at = -Infinity;
  let turned_at = 0;
  let quarters = 0;
  let over = false;
  let drawing = false;
  let awake = null;
  let signer = null;

  const frame = async () => {
    drawing = true;
    try {
      signer = signer || (await signerOf(ticket.key));
      if (!signer) return onFault();
      const ts_s = Math.floor(now_ms() / 1000);
      const text = await ticketText(entitlement, signer, ts_s, ride.ctr, ride.pax);
      if (over) return;
      code = codeOf(text);
      draw(canvas, code, room_px(), quarters);
      canvas.dataset.ts = String(ts_s);
      shown_at = turned_at = performance.now();
    } catch {
      onFault();
    } finally {
      drawing = false;
    }
  };
  const turn = () => {
    quarters += 1;
    turned_at = performance.now();
    draw(canvas, code, room_px(), quarters);
  };
  const beat = async () => {
    if (document.hidden) return;
    if (!drawing && performance.now() - shown_at >= FRAME_MS - 50) await frame();
    else if (code && performance.now() - turned_at >= TURN_MS - 50) turn();
    if (!over) onSecond(Math.max(0, Math.ceil((FRAME_MS - (performance.now() - shown_at)) / 1000)));
  };
  const stayAwake = async () => {
    try {
      if (!document.hidden && navigator.wakeLock) awake = await navigator.wakeLock.request("screen");
      if (over && awake) awake.release();
    } catch {
      awake = null; // a nearly empty battery may refuse it
    }
  };
  const seen = () => {
    if (document.hidden) return;
    shown_at = -Infinity; // the steady clock may have slept with the phone
    beat();
    stayAwake();
  };
  const resized = () => {
    shown_at = -Infinity;
    beat();
  };
  beat();
  stayAwake();
  const pulse = setInterval(beat, 1000);
  document.addEventListener("visibilitychange", seen);
  addEventListener("resize", resized);
  return () => {
    over = true;
    clearInterval(pulse);
    document.removeEventListener("visibilitychange", seen);
    removeEventListener("resize", resized);
    if (awake) awake.release().catch(() => {});
  };
}
