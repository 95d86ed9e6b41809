// Operators of images [C, H, W].

const positions = (size, kernel, stride, padding) => Math.floor((size + 2 * padding - kernel) / stride) + 1;

Object.assign(operators, {
  conv({ data, dims: [, H, W] }, { weight, bias, stride, padding, groups }) {
    const [O, inGroup, k] = weight.dims, [h, w] = [H, W].map((size) => positions(size, k, stride, padding));
    const output = new Float32Array(O * h * w);
    for (let o = 0; o < O; o++) {
      const plane = output.subarray(o * h * w, (o + 1) * h * w).fill(bias.data[o]);
      const firstChannel = Math.floor((o * groups) / O) * inGroup;
      for (let i = 0; i < inGroup * k * k; i++) {
        const factor = weight.data[o * inGroup * k * k + i], dx = i % k, dy = Math.floor(i / k) % k;
        const image = (firstChannel + Math.floor(i / (k * k))) * H * W;
        const from = Math.max(0, Math.ceil((padding - dx) / stride));
        const to = Math.min(w, Math.floor((W - 1 + padding - dx) / stride) + 1);
        for (let y = 0; y < h; y++) {
          const row = y * stride + dy - padding;
          if (row < 0 || row >= H) continue;
          const start = image + row * W + dx - padding;
          for (let x = from; x < to; x++) plane[y * w + x] += factor * data[start + x * stride];
        }
      }
    }
    return { dims: [O, h, w], data: output };
  },
  max_pool({ data, dims: [C, H, W] }, { kernel, stride, padding }) {
    const [h, w] = [H, W].map((size) => positions(size, kernel, stride, padding));
    const output = new Float32Array(C * h * w).fill(-Infinity);
    output.forEach((_, i) => {
      const top = (Math.floor(i / w) % h) * stride - padding, left = (i % w) * stride - padding;
      for (let y = Math.max(top, 0); y < Math.min(top + kernel, H); y++)
        for (let x = Math.max(left, 0); x < Math.min(left + kernel, W); x++)
          output[i] = Math.max(output[i], data[(Math.floor(i / (h * w)) * H + y) * W + x]);
    });
    return { dims: [C, h, w], data: output };
  },
  global_average_pool: ({ data, dims: [C, H, W] }) => ({
    dims: [C],
    data: Float32Array.from({ length: C }, (_, c) => data.subarray(c * H * W, (c + 1) * H * W).reduce((a, b) => a + b) / (H * W)),
  }),
});
