// Image files, pasted images, and for grey networks a pad to draw on. A picture is { width, height, pixels } with the bytes of all
// pixels, row by row, `channels` of them for each pixel.

/** Normalises the bytes [H, W, C] of a picture of the network's size to [C, H, W]. */
function inputOf({ input: { channels: C, height: H, width: W, mean, std } }, pixels) {
  const data = new Float32Array(C * H * W);
  pixels.forEach((byte, i) => (data[(i % C) * H * W + Math.floor(i / C)] = (byte / 255 - mean[i % C]) / std[i % C]));
  return { dims: [C, H, W], data };
}

/** One axis resampled with a triangle as wide as the step between pixels; `n` lines of `from` pixels, `stride` apart. */
function resample(data, from, to, stride) {
  const ratio = from / to, reach = Math.max(ratio, 1), lines = data.length / from;
  const output = new Float64Array(lines * to);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * ratio, first = Math.max(Math.floor(center - reach), 0);
    const weights = [];
    for (let j = first; j < Math.min(Math.ceil(center + reach), from); j++) weights.push(Math.max(0, 1 - Math.abs(j + 0.5 - center) / reach));
    const sum = weights.reduce((a, b) => a + b);
    for (let line = 0; line < lines; line++) {
      const block = Math.floor(line / stride), within = line % stride;
      weights.forEach((w, j) => (output[(block * to + i) * stride + within] += (w / sum) * data[(block * from + first + j) * stride + within]));
    }
  }
  return output;
}

/** A picture of 4 channels (with alpha) as bytes of the network's size and channels: laid on the ground, resized, made grey. */
function fitted({ width, height, pixels }, { channels, height: H, width: W, ground }) {
  let rgb = new Float64Array(width * height * 3);
  for (let i = 0; i < rgb.length; i++) {
    const pixel = Math.floor(i / 3), alpha = pixels[pixel * 4 + 3];
    rgb[i] = Math.floor((pixels[pixel * 4 + (i % 3)] * alpha + ground[i % 3] * (255 - alpha) + 127) / 255);
  }
  if (height !== H || width !== W) rgb = resample(resample(rgb, height, H, width * 3), width, W, 3).map((x) => Math.floor(x + 0.5));
  if (channels === 3) return Uint8Array.from(rgb);
  return Uint8Array.from({ length: H * W }, (_, i) => Math.round(0.2126 * rgb[i * 3] + 0.7152 * rgb[i * 3 + 1] + 0.0722 * rgb[i * 3 + 2]));
}

const PEN = 0.085, BOX = 20 / 28, FINE = 8; // width of the pen, side of the box that MNIST scales digits to, subpixels

/** Draws strokes; a line of no length would not be seen, so each begins a little to the left. */
function trace(pen, strokes, scale) {
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo((stroke[0][0] - 1e-3) * scale, stroke[0][1] * scale);
    for (const [x, y] of stroke) pen.lineTo(x * scale, y * scale);
    pen.stroke();
  }
}

/** Draws strokes of points in 0..1 and gives the ink of each pixel, 0..1; scaled and centred by mass as MNIST's digits are. */
function inkOf(strokes, { height: H, width: W }, isCentred) {
  const points = strokes.flat(), side = Math.min(H, W);
  const canvas = Object.assign(document.createElement("canvas"), { width: W * FINE, height: H * FINE });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const draw = (scale, x, y) => {
    pen.reset();
    pen.setTransform(scale * side * FINE, 0, 0, scale * side * FINE, x * FINE, y * FINE);
    Object.assign(pen, { lineWidth: PEN / scale, lineCap: "round", lineJoin: "round" });
    trace(pen, strokes, 1);
    const alpha = pen.getImageData(0, 0, W * FINE, H * FINE).data.filter((_, i) => i % 4 === 3);
    return Array.from({ length: H * W }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < FINE * FINE; k++) sum += alpha[(Math.floor(i / W) * FINE + Math.floor(k / FINE)) * W * FINE + (i % W) * FINE + (k % FINE)];
      return sum / (255 * FINE * FINE);
    });
  };
  if (!isCentred || !points.length) return draw(1, (W - side) / 2, (H - side) / 2);
  const [low, high] = [Math.min, Math.max].map((f) => [0, 1].map((axis) => f(...points.map((point) => point[axis]))));
  const scale = Math.min((BOX - PEN) / Math.max(high[0] - low[0], high[1] - low[1], 0.01), 3);
  const middle = [W, H].map((size, axis) => size / 2 - ((low[axis] + high[axis]) / 2) * scale * side);
  const ink = draw(scale, ...middle), mass = ink.reduce((a, b) => a + b);
  const centre = (position) => ink.reduce((sum, x, i) => sum + x * (position(i) + 0.5), 0) / mass;
  const shift = [W / 2 - centre((i) => i % W), H / 2 - centre((i) => Math.floor(i / W))].map(Math.round);
  return draw(scale, middle[0] + shift[0], middle[1] + shift[1]);
}

function setUpInput(model, change) {
  const { channels, height, width, mean } = model.input, at = (id) => document.getElementById(id);
  const seen = Object.assign(at("seen"), { width, height }).getContext("2d");
  const show = (pixels, isEmpty = false) => {
    const grey = (i) => pixels[channels === 1 ? i >> 2 : (i >> 2) * 3 + (i & 3)];
    const rgba = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 255 : grey(i)));
    seen.putImageData(new ImageData(rgba, width, height), 0, 0);
    change(pixels, null, isEmpty);
  };
  const open = async (blob) => {
    const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const { data } = canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
    clear();
    show(fitted({ width: bitmap.width, height: bitmap.height, pixels: data }, model.input));
  };
  const openFirst = ({ files }) => {
    const file = Array.from(files).find(({ type }) => type.startsWith("image/"));
    if (file) open(file).catch(() => change(null, new Error(`${file.name} cannot be read as an image`)));
  };
  at("file").onchange = () => openFirst(at("file"));
  document.addEventListener("paste", (event) => openFirst(event.clipboardData));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => (event.preventDefault(), openFirst(event.dataTransfer)));
  const clear = channels === 1 ? setUpPad(model.input, mean[0] < 0.5, show) : () => {};
  const blank = () => new Uint8Array(width * height * channels).fill(mean[0] < 0.5 ? 0 : 255);
  const fromHash = (text) => (([found, none]) => (found.length === none.length ? found : none))([bytesOf(text), blank()]);
  return {
    name: "pixels",
    set: (example) => (example.src ? fetchImage(example.src).then(open) : (clear(), show(example, example.every((byte) => byte === example[0])))),
    toHash: (pixels) => btoa(String.fromCharCode(...pixels)),
    fromHash,
    first: model.examples[0] ?? blank(),
  };
}

/** A data URL as a blob; `fetch` is not allowed from a file. */
const fetchImage = async (url) => new Blob([bytesOf(url.split(",")[1])], { type: url.slice(5, url.indexOf(";")) });

/** The pad; gives the function that clears it. Ink is light where the background of the training images is dark. */
function setUpPad(input, isLight, show) {
  const pad = document.getElementById("pad"), centred = document.getElementById("centred"), pen = pad.getContext("2d");
  let strokes = [];
  const redraw = () => {
    const scale = Math.min(1, input.width / input.height) && pad.width;
    pen.clearRect(0, 0, pad.width, pad.height);
    Object.assign(pen, { lineWidth: PEN * scale, lineCap: "round", lineJoin: "round", strokeStyle: getComputedStyle(pad).color });
    trace(pen, strokes, scale);
  };
  const tell = () => {
    const ink = inkOf(strokes, input, centred.checked);
    show(Uint8Array.from(ink, (x) => Math.round(255 * (isLight ? x : 1 - x))), !strokes.length);
  };
  const point = ({ clientX, clientY }) => {
    const box = pad.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  };
  pad.onpointerdown = (event) => {
    pad.setPointerCapture(event.pointerId);
    strokes.push([point(event)]);
    redraw(), tell();
  };
  pad.onpointermove = (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    const events = event.getCoalescedEvents?.() ?? [];
    strokes.at(-1).push(...(events.length ? events : [event]).map(point));
    redraw(), tell();
  };
  centred.onchange = () => strokes.length && tell();
  const clear = () => ((strokes = []), redraw());
  document.getElementById("clear").onclick = () => (clear(), tell());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return clear;
}
