// node onnxruntime_web.mjs MODULES NETWORK < FEEDS: an ONNX file in the wasm build of onnxruntime, one thread, as a browser runs it.
// MODULES is the folder in which onnxruntime-web is installed. FEEDS is JSON: for each input of the network its type (int64 or
// float32), its sizes and its numbers. Writes the logits as JSON: sizes and numbers.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, network] = process.argv.slice(2);
const script = join(dirname(createRequire(join(modules, "index.js")).resolve("onnxruntime-web")), "ort.wasm.min.mjs");
const { env, InferenceSession, Tensor } = await import(pathToFileURL(script));
env.wasm.numThreads = 1;

const session = await InferenceSession.create(readFileSync(network), { executionProviders: ["wasm"] });
const feeds = {};
for (const [name, { type, dims, data }] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  feeds[name] = new Tensor(type, type === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data), dims);
}
const { logits } = await session.run(feeds);
console.log(JSON.stringify({ dims: logits.dims, data: Array.from(logits.data) }));
