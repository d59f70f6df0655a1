// QR symbols as a live code needs them (ISO/IEC 18004): alphanumeric, level M, versions 10 to 14.

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

// Table 9: check bytes of a block, data bytes of each block. Annex E: where alignment patterns stand.
const VERSIONS = [
  { version: 10, check: 26, blocks: [43, 43, 43, 43, 44], centres: [6, 28, 50] },
  { version: 11, check: 30, blocks: [50, 51, 51, 51, 51], centres: [6, 30, 54] },
  { version: 12, check: 22, blocks: [36, 36, 36, 36, 36, 36, 37, 37], centres: [6, 32, 58] },
  { version: 13, check: 22, blocks: [37, 37, 37, 37, 37, 37, 37, 37, 38], centres: [6, 34, 62] },
  { version: 14, check: 24, blocks: [40, 40, 40, 40, 41, 41, 41, 41, 41], centres: [6, 26, 46, 66] },
];
const HEAD_BITS = 4 + 11; // mode and count
const FORMAT = 0b101010000010010; // level M, mask 0 (annex C)

const EXP = new Uint8Array(510), LOG = new Uint8Array(256); // GF(256) modulo 0x11d
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = (value << 1) ^ (value & 0x80 ? 0x11d : 0);
}

/** The symbol of a text as rows of booleans, true for dark, without its quiet zone. */
export function makeSymbol(text) {
  const bits = HEAD_BITS + 11 * (text.length >> 1) + 6 * (text.length % 2);
  const shape = VERSIONS.find(({ blocks }) => bits <= 8 * sum(blocks));
  if (!shape) throw new RangeError(`${text.length} characters do not fit a version 14 QR`);
  const symbol = drawFunctionPatterns(shape);
  placeBits(symbol, interleave(encode(text, sum(shape.blocks)), shape));
  return symbol.map((row) => row.map((module) => module.dark));
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function encode(text, capacityBytes) {
  let bits = "0010" + text.length.toString(2).padStart(11, "0");
  for (let i = 0; i < text.length; i += 2) {
    const [first, second] = [LETTERS.indexOf(text[i]), LETTERS.indexOf(text[i + 1] ?? "0")];
    if (first < 0 || second < 0) throw new RangeError("a letter outside the alphanumeric set");
    bits += i + 1 < text.length ? (45 * first + second).toString(2).padStart(11, "0") : first.toString(2).padStart(6, "0");
  }
  bits += "0".repeat(Math.min(4, 8 * capacityBytes - bits.length));
  bits = bits.padEnd(8 * Math.ceil(bits.length / 8), "0");
  const bytes = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  for (let pad = 0xec; bytes.length < capacityBytes; pad ^= 0xec ^ 0x11) bytes.push(pad);
  return bytes;
}

function interleave(data, { blocks, check }) {
  let start = 0;
  const parts = blocks.map((length) => data.slice(start, start += length));
  const checks = parts.map((part) => checkBytes(part, check));
  const column = (rows, i) => rows.filter((row) => i < row.length).map((row) => row[i]);
  const columns = (rows, length) => Array.from({ length }, (_, i) => column(rows, i)).flat();
  return [...columns(parts, Math.max(...blocks)), ...columns(checks, check)];
}

/** Reed-Solomon: the remainder of the data, shifted, by the generator with the roots 2^0 ... 2^(count - 1). */
function checkBytes(data, count) {
  let generator = [1];
  for (let root = 0; root < count; root++) {
    const shifted = [0, ...generator.map((value) => (value ? EXP[LOG[value] + root] : 0))];
    generator = [...generator, 0].map((value, i) => value ^ shifted[i]);
  }
  const rest = [...data, ...new Array(count).fill(0)];
  for (let i = 0; i < data.length; i++) {
    if (!rest[i]) continue;
    const factor = LOG[rest[i]];
    generator.forEach((value, j) => { rest[i + j] ^= EXP[LOG[value] + factor]; });
  }
  return rest.slice(data.length);
}

function drawFunctionPatterns({ version, centres }) {
  const size = 17 + 4 * version;
  const symbol = Array.from({ length: size }, () => Array.from({ length: size }, () => ({ dark: false, fixed: false })));
  const set = (x, y, dark) => { symbol[y][x] = { dark: Boolean(dark), fixed: true }; };
  const square = (left, top, half, dark) => {
    for (let dy = -half; dy <= half; dy++)
      for (let dx = -half; dx <= half; dx++)
        if (symbol[top + dy]?.[left + dx]) set(left + dx, top + dy, dark(Math.max(Math.abs(dx), Math.abs(dy))));
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4, (far) => far !== 2 && far !== 4);
  const last = centres.at(-1);
  for (const x of centres)
    for (const y of centres)
      if (!((x === 6 && (y === 6 || y === last)) || (y === 6 && x === last))) square(x, y, 2, (far) => far !== 1);
  for (let i = 0; i < 15; i++) {
    const bit = (FORMAT >> i) & 1;
    const place = i < 6 ? i : i < 8 ? i + 1 : i; // beside the timing pattern
    if (i < 8) set(8, place, bit); else set(14 - i + (i < 9 ? 1 : 0), 8, bit);
    if (i < 8) set(size - 1 - i, 8, bit); else set(8, size - 15 + i, bit);
  }
  set(8, size - 8, true);
  let remainder = version;
  for (let i = 0; i < 12; i++) remainder = (remainder << 1) ^ ((remainder >> 11) * 0x1f25); // annex D
  for (let i = 0; i < 18; i++) {
    const bit = (((version << 12) | remainder) >> i) & 1;
    const [near, far] = [Math.floor(i / 3), size - 11 + (i % 3)];
    set(near, far, bit);
    set(far, near, bit);
  }
  return symbol;
}

/** Two columns at a time, from the right, up and down; what is signed looks random, so that one mask serves all. */
function placeBits(symbol, bytes) {
  const size = symbol.length;
  let i = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    const upward = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step++) {
      const y = upward ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        const module = symbol[y][x];
        if (module.fixed) continue;
        const bit = i < 8 * bytes.length ? (bytes[i >> 3] >> (7 - (i & 7))) & 1 : 0;
        module.dark = Boolean(bit ^ ((x + y) % 2 === 0));
        i++;
      }
    }
  }
}
