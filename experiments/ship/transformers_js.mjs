// node transformers_js.mjs MODULES FOLDER: the parity inputs of an exported folder through a pipeline of transformers.js,
// as JSON: for each input its labels and scores. MODULES is the folder in which @huggingface/transformers is installed.

import { readFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, folder] = process.argv.slice(2);
const require = createRequire(join(modules, "index.js"));
const { env, pipeline, RawImage } = await import(pathToFileURL(require.resolve("@huggingface/transformers")));
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);

const { examples } = JSON.parse(readFileSync(join(folder, "parity.json"), "utf8"));
const isImage = existsSync(join(folder, "preprocessor_config.json"));
const task = isImage ? "image-classification" : "text-classification";
const classify = await pipeline(task, basename(folder), { dtype: "fp32", device: "cpu" });
const answers = [];
for (const example of examples) {
  const input = isImage
    ? new RawImage(new Uint8ClampedArray(example.pixels), example.shape[1], example.shape[0], example.shape[2])
    : example.text;
  answers.push(await classify(input, { top_k: 5 }));
}
console.log(JSON.stringify(answers));
