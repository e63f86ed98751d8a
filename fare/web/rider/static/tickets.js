// Rides on this phone's tickets. A ride is (cti, ctr .. ctr + pax - 1): it is written down before its code is
// drawn, and a new one begins only when the rider says so. It draws nothing and asks nobody.
import { fromBase64Url, toBase64Url } from "./bytes.js";
import { keyOf } from "./mc1.js";
import { change } from "./store.js";

export const MOST_PEOPLE = 9;
export const SAME_RIDE_MS = 90 * 60_000;
// A ticket in its last moments would expire between two frames.
const LAST_MOMENTS_MS = 15_000;

export const isLive = (ticket, now_ms) => ticket.expires_at_ms - LAST_MOMENTS_MS > now_ms;
export const ridesLeft = (ticket) => Math.max(0, ticket.max_taps - ticket.used);

// The ticket to begin a ride of `pax` people on: the oldest that has room, one that the ledger wants back only when
// there is no other: a bus that has not heard of it yet still takes it. null when there is none.
export function ticketFor(tickets, pax, now_ms) {
  const fitting = tickets.filter((ticket) => isLive(ticket, now_ms) && ridesLeft(ticket) >= pax);
  return fitting.find((ticket) => !ticket.retired) || fitting[0] || null;
}

// For how many people one ride can be, 0 to 9.
export function mostPeople(tickets, now_ms) {
  return Math.min(MOST_PEOPLE, Math.max(0, ...tickets.filter((ticket) => isLive(ticket, now_ms)).map(ridesLeft)));
}

// The ticket of a ride whose code can still be shown, else null.
export function ticketOf(ride, tickets, now_ms) {
  return (ride && tickets.find((ticket) => ticket.cti === ride.cti && isLive(ticket, now_ms))) || null;
}

// Begin a ride and write it down. Resolves to {ride, tickets}; ride is null when no ticket has room.
export async function beginRide(pax, now_ms) {
  let begun = null;
  const kept = await change(["tickets", "ride"], ({ tickets }) => {
    const ticket = ticketFor(tickets || [], pax, now_ms);
    if (!ticket) return {};
    begun = { cti: ticket.cti, ctr: ticket.used + 1, pax, started_at_ms: now_ms };
    return {
      ride: begun,
      tickets: tickets.map((each) => (each === ticket ? { ...each, used: each.used + pax } : each)),
    };
  });
  return { ride: begun, tickets: kept.tickets || [] };
}

// Take in the ticket that the ledger told of, null for none; `keys` are the ids of the keys that this phone holds.
// An older one stays until it is used up or expired, except where the ledger wants it replaced. Resolves to all
// tickets.
export async function takeIn(told, keys, now_ms) {
  const fresh = told && asKept(told);
  const kept = await change(["tickets"], ({ tickets }) => {
    const known = (tickets || []).find((ticket) => fresh && ticket.cti === fresh.cti);
    let all = (tickets || []).filter((ticket) => ticket !== known);
    if (fresh && keys.includes(fresh.key)) {
      all.push(
        known
          ? { ...known, used: Math.max(known.used, told.rides_taken_in), retired: known.retired || told.reissue }
          : fresh,
      );
      // After a reissue the ledger has taken the older ones back with it.
      if (!told.reissue && all.some((ticket) => ticket.retired)) all = all.filter((ticket) => !ticket.retired);
    }
    all.sort((one, other) => one.issued_at_ms - other.issued_at_ms);
    return { tickets: all.filter((ticket) => ticket.expires_at_ms > now_ms) };
  });
  return kept.tickets;
}

// No ticket of this phone counts any more: it was reported lost, or another took its place.
export const dropAll = () => change(["tickets", "ride"], () => ({ tickets: undefined, ride: undefined }));

function asKept(told) {
  const x = keyOf(fromBase64Url(told.entitlement));
  return {
    cti: told.cti,
    entitlement: told.entitlement,
    key: x && toBase64Url(x),
    issued_at_ms: told.issued_at_ms,
    expires_at_ms: told.expires_at_ms,
    max_taps: told.max_taps,
    max_fare_rial: told.max_fare_rial,
    used: told.rides_taken_in,
    retired: told.reissue,
  };
}
