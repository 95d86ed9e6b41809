
export { idsOf as ngramIds };

/**
 * Ids and mask of some texts as tensors of int64, padded to the longest; at least one id wide:
 *
 *     const { ids, mask, dims } = batch(["a text", "another one"], settings);   // settings are ngrams.json
 */
export function batch(texts, settings) {
  const rows = texts.map((text) => idsOf(text, settings));
  const width = rows.reduce((longest, row) => Math.max(longest, row.length), 1);
  const ids = new BigInt64Array(texts.length * width), mask = new BigInt64Array(texts.length * width);
  rows.forEach((row, r) => row.forEach((id, i) => { ids[r * width + i] = BigInt(id); mask[r * width + i] = 1n; }));
  return { ids, mask, dims: [texts.length, width] };
}

// `node ngrams.mjs` compares the hash with that of stillhouse
if (typeof process !== "undefined" && process.argv[1] && import.meta.url.endsWith(process.argv[1].split("/").pop())) {
  const { readFileSync } = await import("node:fs");
  const settings = JSON.parse(readFileSync(new URL("ngrams.json", import.meta.url), "utf8"));
  if (String(idsOf(settings.golden.text, settings)) !== String(settings.golden.ids)) throw new Error("the hash differs");
  console.log("the hash is that of stillhouse");
}
