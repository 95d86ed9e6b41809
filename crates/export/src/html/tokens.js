// Texts as tokens: byte pair encoding on bytes, as the program trains it.

/** Bytes as the letters in which a vocabulary writes them: printable ones as they are, others from U+0100 on. */
const BYTE_LETTERS = (() => {
  const isPrintable = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : next++));
})();

// White space as Unicode has it; JavaScript's \s differs in U+0085 and U+FEFF.
const SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PIECES = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`,
  "gu",
);

/** Joins the pair that was learned first, until no pair was learned. */
function merge(letters, ranks) {
  for (;;) {
    let best = Infinity, at = 0;
    for (let i = 0; i + 1 < letters.length; i++) {
      const rank = ranks.get(letters[i] + " " + letters[i + 1]) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (best === Infinity) return letters;
    letters.splice(at, 2, letters[at] + letters[at + 1]);
  }
}

/** The ids of a text's tokens, at most `max_len`. */
function idsOf(text, input) {
  input.ids ??= new Map(input.vocabulary.map((token, id) => [token, id]));
  input.ranks ??= new Map(input.merges.map((pair, rank) => [pair, rank]));
  let normal = (text.toWellFormed?.() ?? text).normalize("NFC");
  if (input.lowercase) normal = Array.from(normal, (character) => character.toLowerCase()).join("");
  const ids = [];
  for (const piece of normal.match(PIECES) ?? []) {
    const letters = Array.from(new TextEncoder().encode(piece), (byte) => BYTE_LETTERS[byte]);
    ids.push(...merge(letters, input.ranks).map((token) => input.ids.get(token)));
    if (ids.length >= input.max_len) break;
  }
  return ids.slice(0, input.max_len);
}
