"use strict";
// The network: its weights, and one function for each operator of the graph. A value is { data, dims } with numbers in row-major
// order. C channels, H and W height and width, O outputs, I inputs, S tokens or n-grams, D width of a vector.

/** Bytes of base64 text. */
function bytesOf(base64) {
  const text = atob(base64);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The number of the bits of a half: a scale, which is never negative. */
const half = (bits) => (bits < 1024 ? bits * 2 ** -24 : (1024 + (bits & 1023)) * 2 ** ((bits >> 10) - 25));

/** The constants as { data, dims }. Rounded rows are scale * code, with codes of 2 to 8 bits, low bits first, counted
    from the lowest one: -3, -1, 1, 3 of 2 bits, else all whole numbers from -largest. Without bits, floats. */
function unpack(constants, bytes) {
  let at = 0;
  const take = (Kind, n) => new Kind(bytes.buffer.slice(at, (at += n * Kind.BYTES_PER_ELEMENT)));
  return constants.map(({ dims, bits, halves }) => {
    const n = dims.reduce((a, b) => a * b, 1), width = n / dims[0];
    if (!bits) return { dims, data: take(Float32Array, n) };
    const scales = halves ? Float32Array.from(take(Uint16Array, dims[0]), half) : take(Float32Array, dims[0]);
    const rowBytes = Math.ceil((width * bits) / 8), codes = take(Uint8Array, dims[0] * rowBytes);
    const data = new Float32Array(n), [largest, step] = bits === 2 ? [3, 2] : [2 ** (bits - 1) - 1, 1];
    for (let i = 0; i < n; i++) {
      const row = Math.floor(i / width), bit = (i % width) * bits, byte = row * rowBytes + (bit >> 3);
      const code = ((codes[byte] | (codes[byte + 1] << 8)) >> (bit & 7)) & (2 ** bits - 1);
      data[i] = scales[row] * (code * step - largest);
    }
    return { dims, data };
  });
}

const map = ({ data, dims }, f) => ({ dims, data: data.map(f) });

/** Rows of a table by their ids. */
const rows = ({ data, dims: [, D] }, ids) => ids.map((id) => data.subarray(id * D, (id + 1) * D));

function mean(rows, D) {
  const sum = new Float32Array(D);
  for (const row of rows) for (let i = 0; i < D; i++) sum[i] += row[i];
  return { dims: [D], data: sum.map((x) => x / Math.max(rows.length, 1)) };
}

const operators = {
  linear({ data, dims }, { weight, bias }) {
    const [O, I] = weight.dims, S = data.length / I, output = new Float32Array(S * O);
    for (let s = 0; s < S; s++)
      for (let o = 0; o < O; o++) {
        let sum = bias.data[o];
        for (let i = 0; i < I; i++) sum += weight.data[o * I + i] * data[s * I + i];
        output[s * O + o] = sum;
      }
    return { dims: [...dims.slice(0, -1), O], data: output };
  },
  relu: (x) => map(x, (v) => Math.max(v, 0)),
  add: (x, _, y) => map(x, (v, i) => v + y.data[i]),
  flatten: ({ data }) => ({ dims: [data.length], data }),
  embedding_mean: (ids, { table }) => mean(rows(table, ids), table.dims[1]),
};

/** Probabilities of logits that are divided by the temperature. */
function softmax(logits, temperature) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** The network of the page: `logits(input)` of { data, dims }, or of a list of ids. */
function networkOf(model, base64) {
  const constants = unpack(model.constants, bytesOf(base64));
  const nodes = model.nodes.map(({ operator, inputs, constants: names, ...settings }) => {
    for (const name in names) settings[name] = constants[names[name]];
    return { compute: operators[operator], inputs, settings };
  });
  const logits = (input) => {
    const values = [input];
    for (const { compute, inputs, settings } of nodes) values.push(compute(values[inputs[0]], settings, values[inputs[1]]));
    return values.at(-1).data;
  };
  return { logits, head: nodes.at(-1).settings };
}
