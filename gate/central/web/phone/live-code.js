// The code that a phone shows: a COSE_Sign1 (ES256) around the pass, signed at a moment. Its twin is gate/decoder/gp1_live.py.

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/** The bytes of a pass's text, or an error that says what is wrong with it. */
export function readPass(text) {
  if (!text.startsWith("GP1:")) throw new Error("no pass");
  return fromBase45(text.slice(4));
}

/** Whether a pass was issued for this public key (JWK): its x coordinate stands in the pass. */
export function isFor(pass, jwk) {
  const x = Uint8Array.from(atob(jwk.x.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return pass.some((_, start) => x.every((byte, i) => pass[start + i] === byte));
}

/** The text of the QR at `seconds` since 1970. */
export async function liveCode(pass, privateKey, seconds) {
  const moment = [24, 16, 8, 0].map((shift) => (seconds >>> shift) & 0xff);
  const header = [0xa2, 0x01, 0x26, 0x0f, 0xa1, 0x06, 0x1a, ...moment]; // {alg: ES256, CWT claims: {iat: seconds}}
  const toSign = [0x84, 0x6a, ...new TextEncoder().encode("Signature1"), ...bytes(header), 0x40, ...bytes(pass)];
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, new Uint8Array(toSign)));
  return "GL1:" + toBase45([0x84, ...bytes(header), 0xa0, ...bytes(pass), ...bytes(signature)]);
}

/** A CBOR byte string. */
function bytes(data) {
  const { length } = data;
  const head = length < 24 ? [0x40 | length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 0xff];
  return [...head, ...data];
}

function toBase45(data) { // RFC 9285
  let text = "";
  for (let i = 0; i < data.length; i += 2) {
    const pair = i + 1 < data.length;
    let value = pair ? 256 * data[i] + data[i + 1] : data[i];
    for (let letters = pair ? 3 : 2; letters > 0; letters--, value = Math.floor(value / 45)) text += LETTERS[value % 45];
  }
  return text;
}

function fromBase45(text) {
  const data = [];
  for (let i = 0; i < text.length; i += 3) {
    const values = [...text.slice(i, i + 3)].map((letter) => LETTERS.indexOf(letter));
    const value = values.reduce((total, digit, place) => total + digit * 45 ** place, 0);
    const limit = values.length === 3 ? 0x10000 : 0x100;
    if (values.length === 1 || values.includes(-1) || value >= limit) throw new Error("not base45");
    data.push(...(values.length === 3 ? [value >> 8, value & 0xff] : [value]));
  }
  return data;
}
