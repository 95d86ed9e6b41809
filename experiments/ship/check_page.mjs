// Runs the network of an exported page in node, and compares its labels with those of `stillhouse predict`.
//
//   node experiments/ship/check_page.mjs PAGE INPUTS PREDICTIONS [LABELS]
//
// PAGE         index.html of `stillhouse export MODEL --to html`
// INPUTS       texts or rows of numbers, one a line; or images as an idx file (ubyte, [N, H, W]), plain or gzipped
// PREDICTIONS  what `stillhouse predict MODEL ... --json` wrote for them: an array, or one object a line
// LABELS       the true labels, one a line, or as an idx file of class numbers: tells the page's top-1 accuracy
//
// PREDICTIONS or LABELS may be `-`. Exits with 1 where a label differs.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import vm from "node:vm";

const [pagePath, inputsPath, predictionsPath = "-", labelsPath = "-"] = process.argv.slice(2);

function read(path) {
  const bytes = readFileSync(path);
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

/** Rows of an idx file of bytes; null for another file. */
function idx(bytes) {
  if (bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8) return null;
  const dims = Array.from({ length: bytes[3] }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const start = 4 + 4 * dims.length, size = dims.slice(1).reduce((a, b) => a * b, 1);
  return Array.from({ length: dims[0] }, (_, i) => bytes.subarray(start + i * size, start + (i + 1) * size));
}

const lines = (bytes) => bytes.toString("utf8").replace(/\n$/, "").split("\n");

function part(page, id) {
  const [, content] = page.match(new RegExp(`<script[^>]*id="${id}"[^>]*>([\\s\\S]*?)</script>`));
  return content;
}

const page = readFileSync(pagePath, "utf8");
const context = vm.createContext({ atob, performance, TextEncoder, URLSearchParams });
vm.runInContext(part(page, "program"), context);
context.json = part(page, "model");
context.base64 = part(page, "weights");
const { model, predict, largestDistance } = vm.runInContext(
  `const model = JSON.parse(json), network = networkOf(model, base64);
   ({ model, predict: (raw) => network.logits(inputOf(model, raw)),
      largestDistance: Math.max(...model.check.map((check) => distance(network, model, check))) });`,
  context,
);

const file = read(inputsPath), inputs = idx(file) ?? lines(file);
const started = performance.now();
const labels = inputs.map((input) => {
  const logits = predict(input);
  return model.labels[logits.indexOf(logits.reduce((a, b) => Math.max(a, b)))];
});
const perInput = (performance.now() - started) / inputs.length;
console.log(`${(page.length / 1000).toFixed(0)} kB; logits of the page's own checks: ${largestDistance.toExponential(1)} from the program's`);
console.log(`${inputs.length} inputs, ${perInput.toFixed(3)} ms each`);

let isWrong = largestDistance > 1e-3;
if (predictionsPath !== "-") {
  const text = readFileSync(predictionsPath, "utf8").trim();
  const predictions = text.startsWith("[") ? JSON.parse(text) : text.split("\n").map((line) => JSON.parse(line));
  if (predictions.length !== inputs.length) throw new Error(`${predictions.length} predictions for ${inputs.length} inputs`);
  // an empty text has no answer
  const answered = labels.filter((_, i) => predictions[i].label);
  const others = labels.filter((label, i) => predictions[i].label && label !== predictions[i].top[0][0]);
  console.log(`labels of predict: ${answered.length - others.length} of ${answered.length} equal`);
  isWrong ||= others.length > 0;
}
if (labelsPath !== "-") {
  const bytes = read(labelsPath), truth = idx(bytes)?.map(([number]) => model.labels[number]) ?? lines(bytes);
  const correct = labels.filter((label, i) => label === truth[i]).length;
  console.log(`top-1: ${((100 * correct) / labels.length).toFixed(2)} %`);
}
process.exitCode = isWrong ? 1 : 0;
