// Hashed n-grams of a text, as stillhouse computes them. A hash has 64 bits: two unsigned halves, since BigInt would be slow here.

const SPACE = 32, HIGH = 0, LOW = 1;
const FNV_PRIME = [0x100, 0x1b3], CHARACTERS = [0xcbf29ce4, 0x84222325], WORDS = [0x9e3779b9, 0x7f4a7c15];
const WHITESPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Product modulo 2^64. */
function multiply(a, b) {
  const [a0, a1, b0, b1] = [a[LOW] & 0xffff, a[LOW] >>> 16, b[LOW] & 0xffff, b[LOW] >>> 16];
  const first = a0 * b0, second = a1 * b0 + (first >>> 16), third = a0 * b1 + (second & 0xffff);
  const high = a1 * b1 + (second >>> 16) + (third >>> 16);
  const across = Math.imul(a[HIGH], b[LOW]) + Math.imul(a[LOW], b[HIGH]);
  return [(high + across) >>> 0, ((third << 16) | (first & 0xffff)) >>> 0];
}

const extend = (hash, [high, low]) => multiply([(hash[HIGH] ^ high) >>> 0, (hash[LOW] ^ low) >>> 0], FNV_PRIME);

/** MurmurHash3's finalizer, scaled to the number of buckets. */
function bucket(hash, nBuckets) {
  const scatter = ([high, low]) => [high, (low ^ (high >>> 1)) >>> 0];
  let bits = multiply(scatter(hash), [0xff51afd7, 0xed558ccd]);
  bits = multiply(scatter(bits), [0xc4ceb9fe, 0x1a85ec53]);
  return multiply([0, bits[HIGH]], [0, nBuckets])[HIGH];
}

/** Code points, with one boundary mark for each run of white space and, if ends are marked, one at either end. */
function symbols(text, { lowercase, marked_ends }) {
  const found = marked_ends ? [SPACE] : [];
  const mark = () => found.at(-1) !== SPACE && found.push(SPACE);
  for (const character of text) {
    if (WHITESPACE.test(character)) mark();
    // by code point: a whole text has a lower case that depends on neighbours
    else for (const letter of lowercase ? character.toLowerCase() : character) found.push(letter.codePointAt(0));
  }
  if (marked_ends) mark();
  return found;
}

/** The ids of all n-grams of a text: those of characters by their position, then those of words. */
function idsOf(text, settings) {
  const codes = symbols(text.toWellFormed?.() ?? text, settings), ids = [];
  const hashRuns = (start, parts, [shortest, longest]) => {
    for (let first = 0; first < parts.length; first++) {
      let hash = start;
      for (let i = first; i < Math.min(first + longest, parts.length); i++) {
        hash = extend(hash, parts[i]);
        if (i - first + 1 >= shortest) ids.push(bucket(hash, settings.n_buckets));
      }
    }
  };
  if (settings.characters) hashRuns(CHARACTERS, codes.map((code) => [0, code]), settings.characters);
  if (settings.words) {
    const words = [];
    codes.forEach((code, i) => {
      if (code === SPACE) return;
      if (i === 0 || codes[i - 1] === SPACE) words.push(WORDS);
      words.push(extend(words.pop(), [0, code]));
    });
    hashRuns(WORDS, words, settings.words);
  }
  return ids;
}
