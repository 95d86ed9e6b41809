// Hashed n-grams of a text, as stillhouse computes them; `node ngrams.mjs` checks itself against ngrams.json.
//
//     const { ids, mask, dims } = batch(["a text", "another one"], settings);   // BigInt64Array, for int64 tensors
//
// A hash has 64 bits: two unsigned halves, since BigInt would be slow here.

const SPACE = 32;
const CHARACTERS = [0xcbf29ce4, 0x84222325];
const WORDS = [0x9e3779b9, 0x7f4a7c15];
const WHITESPACE = /^[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/u;

// hash = (hash ^ symbol) * 0x100000001b3, where the prime is 2^40 + 435
function extend(hash, high, low) {
  const h = (hash[0] ^ high) >>> 0, l = (hash[1] ^ low) >>> 0;
  const product = l * 435;
  return [(h * 435 + Math.floor(product / 4294967296) + l * 256) >>> 0, product >>> 0];
}

// upper half of the product of two unsigned halves
function upper(a, b) {
  const [ah, al, bh, bl] = [a >>> 16, a & 65535, b >>> 16, b & 65535];
  const middle = ah * bl + Math.floor((al * bl) / 65536);
  return (ah * bh + Math.floor(middle / 65536) + Math.floor(((middle % 65536) + al * bh) / 65536)) >>> 0;
}

function times(h, l, bh, bl) {
  return [(upper(l, bl) + Math.imul(h, bl) + Math.imul(l, bh)) >>> 0, Math.imul(l, bl) >>> 0];
}

function bucket([h, l], nBuckets) {
  [h, l] = times(h, (l ^ (h >>> 1)) >>> 0, 0xff51afd7, 0xed558ccd);
  [h, l] = times(h, (l ^ (h >>> 1)) >>> 0, 0xc4ceb9fe, 0x1a85ec53);
  return upper(h, nBuckets);
}

// Code points, with one mark for each run of whitespace and, if ends are marked, one at either end.
function symbols(text, settings) {
  const found = [];
  const mark = () => found[found.length - 1] === SPACE || found.push(SPACE);
  if (settings.marked_ends) mark();
  for (const character of text) {
    if (WHITESPACE.test(character)) mark();
    // by code point: a whole text has a lower case that depends on neighbours
    else for (const part of settings.lowercase ? character.toLowerCase() : character) found.push(part.codePointAt(0));
  }
  if (settings.marked_ends) mark();
  return found;
}

function hashRuns(start, items, [shortest, longest], nBuckets, ids) {
  for (let first = 0; first < items.length; first++) {
    let hash = start;
    for (let place = first; place < Math.min(items.length, first + longest); place++) {
      hash = extend(hash, items[place][0], items[place][1]);
      if (place - first + 1 >= shortest) ids.push(bucket(hash, nBuckets));
    }
  }
}

// The id of every n-gram of a text.
export function ngramIds(text, settings) {
  const found = symbols(text, settings), ids = [];
  if (settings.characters) {
    hashRuns(CHARACTERS, found.map((symbol) => [0, symbol]), settings.characters, settings.n_buckets, ids);
  }
  if (settings.words) {
    const words = [];
    let word = null;
    for (const symbol of [...found, SPACE]) {
      if (symbol !== SPACE) word = extend(word ?? WORDS, 0, symbol);
      else if (word) { words.push(word); word = null; }
    }
    hashRuns(WORDS, words, settings.words, settings.n_buckets, ids);
  }
  return ids;
}

// Ids and mask of some texts, padded to the longest; at least one id wide.
export function batch(texts, settings) {
  const rows = texts.map((text) => ngramIds(text, settings));
  const width = rows.reduce((longest, row) => Math.max(longest, row.length), 1);
  const ids = new BigInt64Array(texts.length * width), mask = new BigInt64Array(texts.length * width);
  rows.forEach((row, r) => row.forEach((id, i) => { ids[r * width + i] = BigInt(id); mask[r * width + i] = 1n; }));
  return { ids, mask, dims: [texts.length, width] };
}

if (typeof process !== "undefined" && process.argv[1] && import.meta.url.endsWith(process.argv[1].split("/").pop())) {
  const { readFileSync } = await import("node:fs");
  const settings = JSON.parse(readFileSync(new URL("ngrams.json", import.meta.url), "utf8"));
  if (String(ngramIds(settings.golden.text, settings)) !== String(settings.golden.ids)) throw new Error("the hash differs");
  console.log("the hash is that of stillhouse");
}
