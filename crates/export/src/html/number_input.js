// The box for a row of numbers.

/** Normalises the numbers of a text, with commas, semicolons or white space between them. */
function inputOf({ input: { n_features: n, mean, std, offset } }, text) {
  const words = text.split(/[\s,;]+/).filter(Boolean), numbers = words.map(Number);
  const wrong = words.find((_, i) => !Number.isFinite(numbers[i]));
  if (wrong !== undefined) throw new Error(`“${wrong}” is not a number`);
  if (words.length !== n) throw new Error(`${words.length} numbers, expected ${n}`);
  const data = Float32Array.from(numbers, (x, i) => (Math.fround(x - (offset[i] ?? 0)) - mean[i]) / std[i]);
  return { dims: [n], data };
}

function setUpInput(model, change) {
  const box = document.getElementById("text");
  box.oninput = () => change(box.value);
  return {
    name: "numbers",
    set: (text) => change((box.value = text)),
    toHash: (text) => text,
    fromHash: (text) => text,
    first: model.examples[0] ?? model.input.mean.map((mean, i) => +(mean + (model.input.offset[i] ?? 0)).toPrecision(4)).join(", "),
  };
}
