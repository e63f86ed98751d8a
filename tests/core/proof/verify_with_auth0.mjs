// Reads [{cose, aad, jwk}] as JSON from stdin (bytes in hex) and writes what @auth0/cose says of each:
// the payload in hex where the signature verifies, else null.
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const { COSEKey, Sign1 } = await import("../../vendor/auth0-cose/cose.mjs");

const answers = [];
for (const { cose, aad, jwk } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const message = Sign1.decode(new Uint8Array(Buffer.from(cose, "hex")));
    const key = await COSEKey.fromJWK(jwk).toKeyLike();
    await message.verify(key, { externalAAD: new Uint8Array(Buffer.from(aad, "hex")) });
    answers.push(Buffer.from(message.payload).toString("hex"));
  } catch (fault) {
    if (fault.constructor.name === "TypeError" || fault.constructor.name === "ReferenceError") throw fault;
    answers.push(null);
  }
}
process.stdout.write(JSON.stringify(answers));
