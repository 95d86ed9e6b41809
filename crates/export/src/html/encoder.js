// Operators of transformers, on rows of tokens [S, D].

/** Error function, absolute error below 2e-7 (Abramowitz and Stegun 1964, 7.1.26). */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const split = ({ data, dims: [, D] }) => Array.from({ length: data.length / D }, (_, i) => data.subarray(i * D, (i + 1) * D));

Object.assign(operators, {
  gelu_erf: (x) => map(x, (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2))),
  gelu_tanh: (x) => map(x, (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
  embedding: (ids, { table }) => ({
    dims: [ids.length, table.dims[1]],
    data: Float32Array.from(rows(table, ids).flatMap((row) => [...row])),
  }),
  add_positions: (x, { table }) => map(x, (v, i) => v + table.data[i]),
  layer_norm(x, { scale, shift, eps }) {
    const D = scale.dims[0], output = new Float32Array(x.data.length);
    split(x).forEach((row, s) => {
      const center = row.reduce((a, b) => a + b) / D;
      const factor = 1 / Math.sqrt(row.reduce((a, b) => a + (b - center) ** 2, 0) / D + eps);
      row.forEach((v, i) => (output[s * D + i] = (v - center) * factor * scale.data[i] + shift.data[i]));
    });
    return { dims: x.dims, data: output };
  },
  attention(x, { n_heads, cosines, sines }) {
    const [S, triple] = x.dims, D = triple / 3, E = D / n_heads, output = new Float32Array(S * D);
    // vector of one token and head; part 0 is the query, 1 the key, 2 the value; the first two are turned by the position
    const vector = (s, part, head) => {
      const plain = x.data.subarray(s * triple + part * D + head * E).subarray(0, E);
      if (!cosines || part === 2) return plain;
      const angle = (table, i) => table.data[(s * E) / 2 + (i % (E / 2))];
      return plain.map((v, i) => v * angle(cosines, i) + (i < E / 2 ? -plain[i + E / 2] : plain[i - E / 2]) * angle(sines, i));
    };
    for (let head = 0; head < n_heads; head++) {
      const [queries, keys, values] = [0, 1, 2].map((part) => Array.from({ length: S }, (_, s) => vector(s, part, head)));
      queries.forEach((query, s) => {
        const shares = softmax(keys.map((key) => key.reduce((sum, v, i) => sum + v * query[i], 0)), Math.sqrt(E));
        values.forEach((value, t) => value.forEach((v, i) => (output[s * D + head * E + i] += shares[t] * v)));
      });
    }
    return { dims: [S, D], data: output };
  },
  pixel_tokens({ data, dims: [D, H, W] }, { class_token }) {
    const pixel = (_, i) => data[(i % D) * H * W + Math.floor(i / D)];
    return { dims: [1 + H * W, D], data: Float32Array.from([...class_token.data, ...Array.from({ length: data.length }, pixel)]) };
  },
  mean_tokens: (x) => mean(split(x), x.dims[1]),
  first_token: ({ data, dims: [, D] }) => ({ dims: [D], data: Float32Array.from({ length: D }, (_, i) => data[i] ?? 0) }),
});
