// MC1, the text of the phone's QR code: the ledger's entitlement, inside what this phone signs for one boarding.
// It only writes; the strict reader is the bus's. Layout in docs/qr-token.md; all CBOR in shortest form:
//   text  = "MC1:" + base45([ bstr {1: -7}, {}, bstr proof, bstr signature ])      external_aad = "MC1"
//   proof = [ entitlement, ts: uint, ctr: uint, pax: uint ]
import { ascii, join } from "./bytes.js";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const PROTECTED = [0x43, 0xa1, 0x01, 0x26]; // bstr .cbor {1: -7}
const TO_SIGN = join([0x84, 0x6a], ascii("Signature1"), PROTECTED, [0x43], ascii("MC1"));
const BEFORE_X = [0x08, 0xa1, 0x01, 0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20]; // claim 8: {1: {1: 2, -1: 1, -2: x
const COORDINATE_BYTES = 32;

// RFC 9285: two bytes become three characters, a last single one two; the lowest digit comes first.
export function base45(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 2) {
    const pair = at + 1 < bytes.length;
    let value = pair ? bytes[at] * 256 + bytes[at + 1] : bytes[at];
    for (let digit = 0; digit < (pair ? 3 : 2); digit += 1) {
      text += ALPHABET[value % 45];
      value = Math.floor(value / 45);
    }
  }
  return text;
}

function head(major, value) {
  if (value < 24) return [major | value];
  if (value < 0x100) return [major | 24, value];
  if (value < 0x10000) return [major | 25, value >> 8, value & 255];
  return [major | 26, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

const uint = (value) => head(0x00, value);
const byteString = (bytes) => join(head(0x40, bytes.length), bytes);

// The text of the code. `sign` takes bytes and resolves to r || s, 64 bytes; ts_s in unix seconds.
export async function ticketText(entitlement, sign, ts_s, ctr, pax) {
  const proof = byteString(join([0x84], entitlement, uint(ts_s), uint(ctr), uint(pax)));
  const signature = await sign(join(TO_SIGN, proof));
  return "MC1:" + base45(join([0x84], PROTECTED, [0xa0], proof, byteString(signature)));
}

// The x coordinate that an entitlement names: which of our keys it is for. null when it names none.
export function keyOf(entitlement) {
  for (let at = 0; at + BEFORE_X.length + COORDINATE_BYTES <= entitlement.length; at += 1)
    if (BEFORE_X.every((byte, place) => entitlement[at + place] === byte))
      return entitlement.slice(at + BEFORE_X.length, at + BEFORE_X.length + COORDINATE_BYTES);
  return null;
}
