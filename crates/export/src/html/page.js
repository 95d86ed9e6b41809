// The page: bars, curves over the temperature, and what the classes share.

const N_BARS = 10, N_CURVES = 5, T_MIN = 1 / 4, T_MAX = 20, N_STEPS = 80, MOST_COMPARED = 500;
const temperatureAt = (share) => T_MIN * (T_MAX / T_MIN) ** share;
const shareOf = (temperature) => Math.log(temperature / T_MIN) / Math.log(T_MAX / T_MIN);
/** Height in the plot: a square root, so that a hundredth is a tenth of the height and can be seen. */
const heightOf = (p) => Math.sqrt(p);

const percent = (p) => (p >= 0.0995 ? (100 * p).toFixed(0) : p >= 0.00095 ? (100 * p).toFixed(1) : p > 0 ? "<0.1" : "0") + "\u00a0%";
const entropy = (probs) => -probs.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);
const order = (values) => Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);

/** The pairs of classes whose weights in the last layer, without their mean, have the largest cosine. */
function lookAlikes({ weight: { data, dims: [C, D] } }, n) {
  const mean = Float64Array.from({ length: D }, (_, i) => Array.from({ length: C }, (_, c) => data[c * D + i]).reduce((a, b) => a + b) / C);
  const vectors = Array.from({ length: C }, (_, c) => {
    const row = Float64Array.from(mean, (m, i) => data[c * D + i] - m);
    return row.map((x) => x / (Math.hypot(...row) || 1));
  });
  const pairs = [];
  for (let a = 0; a < C; a++)
    for (let b = 0; b < a; b++) pairs.push([vectors[a].reduce((sum, x, i) => sum + x * vectors[b][i], 0), b, a]);
  return pairs.filter(([cosine]) => cosine > 0).sort((a, b) => b[0] - a[0]).slice(0, n);
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, text] of Object.entries(attributes)) made.setAttribute(name, text);
  made.append(...children);
  return made;
}

function startPage() {
  const at = (id) => document.getElementById(id);
  const model = JSON.parse(at("model").textContent), network = networkOf(model, at("weights").textContent);
  const label = (c) => element("bdi", {}, model.labels[c]);
  let logits, ranking = [], given, typing, temperature = 1;

  const showTemperature = () => {
    const probs = softmax(logits, temperature), [first, ...others] = ranking, share = shareOf(temperature);
    at("temperature").textContent = temperature.toFixed(2);
    at("slider").setAttribute("aria-valuetext", temperature.toFixed(2));
    at("marker").style.left = `${100 * share}%`;
    ranking.slice(0, N_BARS).forEach((c, i) => {
      at("bars").children[i].style.setProperty("--share", probs[c]);
      at("bars").children[i].lastChild.textContent = percent(probs[c]);
    });
    at("rest").textContent = ranking.length > N_BARS
      ? `${ranking.length - N_BARS} other classes share ${percent(ranking.slice(N_BARS).reduce((sum, c) => sum + probs[c], 0))}` : "";
    at("entropy").textContent = `${entropy(probs).toFixed(2)} nats`;
    at("most").textContent = `of at most ${Math.log(probs.length).toFixed(2)}`;
    const rest = 1 - probs[first], shares = others.slice(0, 4).map((c) => [label(c), ` (${percent(probs[c] / rest)})`]);
    at("confusable").replaceChildren("Of the ", percent(rest), " that ", label(first), " does not get: ",
      ...shares.flatMap((share, i) => [i ? ", " : "", ...share]), ".");
    remember();
  };

  const showCurves = () => {
    const rows = Array.from({ length: N_STEPS + 1 }, (_, i) => softmax(logits, temperatureAt(i / N_STEPS)));
    at("curves").replaceChildren(...ranking.slice(0, N_CURVES).map((c, i) => {
      const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      line.setAttribute("points", rows.map((probs, x) => `${((1000 * x) / N_STEPS).toFixed(1)},${(1000 * (1 - heightOf(probs[c]))).toFixed(1)}`).join(" "));
      line.setAttribute("class", `c${i}`);
      return line;
    }));
  };

  const showAnswer = () => {
    ranking = order(logits);
    at("top").replaceChildren(label(ranking[0]));
    at("bars").replaceChildren(...ranking.slice(0, N_BARS).map((c, i) =>
      element("li", { class: i < N_CURVES ? `c${i}` : "" }, label(c), element("span", { class: "track" }, element("i", {})), element("span", { class: "share" }))));
    showCurves();
    showTemperature();
  };

  // without an input the answer to the empty one stands there, faded
  const change = (raw, problem, isEmpty = raw === "") => {
    document.body.classList.toggle("empty", isEmpty);
    try {
      if (problem) throw problem;
      const started = performance.now();
      logits = network.logits(inputOf(model, raw));
      const took = performance.now() - started;
      at("time").textContent = took < 0.1 ? "below 0.1 ms" : `${took.toFixed(1)} ms`;
      given = raw;
      at("problem").textContent = "";
      showAnswer();
    } catch (error) {
      at("problem").textContent = error.message;
    }
    document.body.classList.toggle("wrong", at("problem").textContent !== "");
  };

  const input = setUpInput(model, change);
  // the link of the page holds the input and the temperature, so that it can be shared
  const remember = () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const hash = new URLSearchParams({ [input.name]: input.toHash(given), t: at("temperature").textContent });
      if (`${hash}`.length < 8000) history.replaceState(null, "", `#${hash}`);
    }, 500);
  };
  const readLink = () => {
    const link = new URLSearchParams(location.hash.slice(1)), text = link.get(input.name);
    temperature = Math.min(Math.max(Number(link.get("t")) || 1, T_MIN), T_MAX);
    at("slider").value = 1000 * shareOf(temperature);
    input.set(text === null ? input.first : input.fromHash(text));
  };

  at("slider").oninput = () => {
    temperature = temperatureAt(at("slider").value / 1000);
    showTemperature();
  };
  at("cold").onclick = () => {
    temperature = 1;
    at("slider").value = 1000 * shareOf(temperature);
    showTemperature();
  };
  at("levels").append(...[0.01, 0.1, 0.25, 0.5, 1].map((p) => element("span", { style: `bottom:${100 * heightOf(p)}%` }, element("b", {}, `${100 * p}\u00a0%`))));
  at("examples").append(...model.examples.map((example, i) => {
    const content = example.src ? element("img", { src: example.src, alt: example.name }) : example;
    const button = element("button", { type: "button", class: example.src ? "picture" : "text" }, content);
    button.onclick = () => input.set(model.examples[i]);
    return button;
  }));
  at("examples").hidden = !model.examples.length;
  const alike = model.labels.length > 2 && model.labels.length <= MOST_COMPARED ? lookAlikes(network.head, 8) : [];
  at("pairs").append(...alike.map(([cosine, a, b]) => element("li", {}, label(a), " – ", label(b), element("span", { class: "share" }, cosine.toFixed(2)))));
  at("alike").hidden = !alike.length;
  const wrong = Math.max(...model.check.map((check) => distance(network, model, check)));
  at("check").textContent = wrong < 1e-3 ? `Checked in this browser: its logits are the program’s to ${wrong.toExponential(0)}.`
    : `This browser computes other logits than the program: they differ by ${wrong.toPrecision(2)}.`;
  addEventListener("hashchange", readLink);
  readLink();
}

/** The largest distance of the logits to those that the program computed for the same input; a number is the seed of pixels. */
function distance(network, model, { given, logits }) {
  const { channels, height, width } = model.input;
  const pixel = (_, i) => Math.imul(Math.imul(i + 1, 2 * given + 1), 2654435761) >>> 24;
  const raw = typeof given === "string" ? given : Uint8Array.from({ length: channels * height * width }, pixel);
  const found = network.logits(inputOf(model, raw));
  return Math.max(...logits.map((logit, i) => Math.abs(logit - found[i])));
}

if (typeof document !== "undefined") startPage();
