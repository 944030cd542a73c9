// Interactive figures: Vega-Lite over the page's data, drawn when they come into view.
const data = JSON.parse(document.getElementById("chart-data").textContent);
const distinct = (values) => [...new Set(values)];
const control = (chart, name) => document.querySelector(`select[data-chart="${chart}"][data-name="${name}"]`);
const chosen = (chart, name) => control(chart, name).value;

const offer = (chart, name, values, first) => {
  const select = control(chart, name);
  const held = values.includes(select.value) ? select.value : first;
  select.replaceChildren(...values.map((value) => new Option(value, value, false, value === held)));
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const theme = () => ({
  background: "transparent",
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: { gridColor: colour("track"), domainColor: colour("soft"), tickColor: colour("soft"),
    labelColor: colour("soft"), titleColor: colour("ink"), titleFontWeight: 500, labelFontSize: 11, titleFontSize: 12 },
});

const side = (element) => Math.max(220, Math.min(element.clientWidth - 64, 460));
const quantity = (field, title, scale) => ({ field, type: "quantitative", title, scale, axis: { tickCount: 6 } });
const unit = (values) => {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.02, (high - low) * 0.06);
  return [Math.max(low - room, low < 0 ? -1 : 0), Math.min(1, high + room)];
};
const line = (from, to) => ({
  data: { values: [{ x: from, y: from }, { x: to, y: to }] },
  mark: { type: "line", strokeDash: [4, 3], color: colour("soft"), strokeWidth: 1 },
  encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" } },
});
const dots = (encoding) => ({
  params: [{ name: "near", select: { type: "point", on: "pointerover", clear: "pointerout" } }],
  mark: { type: "point", filled: true, size: 55, color: colour("accent"), cursor: "pointer" },
  encoding: { ...encoding, opacity: { condition: { param: "near", empty: false, value: 1 }, value: 0.72 } },
});

const pointsOf = (chart) => data.points.filter(({ group, metric }) =>
  group === chosen(chart, "group") && metric === chosen(chart, "metric"));

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const pairChart = (element) => {
  const [x, y] = [chosen("pair", "x"), chosen("pair", "y")];
  const values = pointsOf("pair").filter(({ scores }) => scores[x] && scores[y]).map((point) => ({
    dataset: point.dataset, tf: point.tf, anchor: point.anchor,
    x: point.scores[x][0], y: point.scores[y][0], difference: point.scores[y][0] - point.scores[x][0],
  }));
  const better = values.filter(({ difference }) => difference > 0).length;
  document.getElementById("words-pair").textContent = values.length
    ? `${y} is above ${x} on ${better} of ${values.length} datasets; the median difference is ${median(values.map((v) => v.difference)).toFixed(3)}.`
    : "No dataset has both.";
  if (!values.length) return null;
  const domain = unit(values.flatMap((v) => [v.x, v.y]));
  const metric = chosen("pair", "metric");
  const scale = { domain, nice: false, zero: false };
  return { width: side(element), height: side(element), layer: [line(...domain), {
    data: { values },
    ...dots({
      x: quantity("x", `${x}, ${metric}`, scale),
      y: quantity("y", `${y}, ${metric}`, scale),
      tooltip: [{ field: "dataset", title: "Dataset" }, { field: "tf", title: "TF" },
        { field: "y", title: y, format: ".3f" }, { field: "x", title: x, format: ".3f" },
        { field: "difference", title: "Difference", format: "+.3f" }],
    }),
  }] };
};

const sitesChart = (element) => {
  const [model, metric] = [chosen("sites", "y"), chosen("sites", "metric")];
  const values = pointsOf("sites").filter(({ scores, sites }) => scores[model] && sites > 0).map((point) => ({
    dataset: point.dataset, tf: point.tf, anchor: point.anchor, sites: point.sites,
    y: point.scores[model][0], low: point.scores[model][1], high: point.scores[model][2],
  }));
  const bands = data.bands.filter((band) =>
    band.metric === metric && band.model === model && band.group === chosen("sites", "group") && band.low !== null);
  document.getElementById("words-sites").textContent = values.length
    ? `${values.length} datasets; lines are 95 % intervals.${bands.length ? " Shaded: from the lower to the upper quartile of this run’s datasets, the line their median." : ""}`
    : "No dataset has both.";
  if (!values.length) return null;
  const most = Math.max(...values.map((v) => v.sites));
  const shaded = bands.map((band) => ({ ...band, low: Math.max(1, band.low), high: band.high || most * 1.1 }));
  const y = quantity("y", `${model}, ${metric}`, { zero: false, domain: unit(values.flatMap((v) => [v.y, v.low ?? v.y, v.high ?? v.y])) });
  const x = { field: "sites", type: "quantitative", title: "Peaks", scale: { type: "log", nice: true }, axis: { format: "~s", tickCount: 4 } };
  const reference = shaded.length ? [
    { data: { values: shaded }, mark: { type: "rect", color: colour("band"), opacity: 0.35 },
      encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y: { ...y, field: "q25" }, y2: { field: "q75" } } },
    { data: { values: shaded }, mark: { type: "rule", color: colour("accent"), strokeWidth: 1.5, opacity: 0.6 },
      encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y: { ...y, field: "median" } } },
  ] : [];
  return { width: side(element), height: Math.min(340, side(element)), layer: [
    ...reference,
    { data: { values }, mark: { type: "rule", color: colour("soft"), opacity: 0.35 },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } } },
    { data: { values }, ...dots({ x, y, tooltip: [{ field: "dataset", title: "Dataset" }, { field: "tf", title: "TF" },
      { field: "sites", title: "Peaks", format: ",.0f" }, { field: "y", title: metric, format: ".3f" }] }) },
  ] };
};

const reliabilityChart = (element) => {
  const bins = data.reliability.flatMap(({ dataset, anchor, bins: rows }) => rows.map(
    ([predicted, observed, low, high, n]) => ({ dataset, anchor, predicted, observed, low, high, n })));
  const own = bins.filter(({ dataset }) => dataset === chosen("reliability", "dataset"));
  const scale = { domain: [0, 1] };
  const x = quantity("predicted", "Predicted probability", scale);
  const y = quantity("observed", "Share that is bound", scale);
  return { width: side(element), height: side(element), layer: [
    line(0, 1),
    { data: { values: bins }, mark: { type: "line", color: colour("soft"), opacity: 0.18, strokeWidth: 1 },
      encoding: { x, y, detail: { field: "dataset" } } },
    { data: { values: own }, mark: { type: "rule", color: colour("accent") },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } } },
    { data: { values: own }, mark: { type: "line", color: colour("accent"), strokeWidth: 1.5 }, encoding: { x, y } },
    { data: { values: own }, ...dots({ x, y, tooltip: [{ field: "dataset", title: "Dataset" },
      { field: "predicted", title: "Predicted", format: ".3f" }, { field: "observed", title: "Observed", format: ".3f" },
      { field: "n", title: "Sequences", format: ",.0f" }] }) },
  ] };
};

const learningChart = (element) => {
  const metric = chosen("learning", "metric");
  const values = data.learning.filter((row) => row.metric === metric);
  const x = { field: "sites", type: "quantitative", title: "Training sites", scale: { type: "log" }, axis: { format: "~s", tickCount: 4 } };
  const y = quantity("value", metric, { zero: false });
  return { width: side(element), height: Math.min(340, side(element)), layer: [
    { data: { values }, mark: { type: "line", color: colour("accent"), opacity: 0.5 }, encoding: { x, y, detail: { field: "dataset" } } },
    { data: { values }, ...dots({ x, y, tooltip: [{ field: "dataset", title: "Dataset" },
      { field: "sites", title: "Sites", format: ",.0f" }, { field: "value", title: metric, format: ".3f" }] }) },
  ] };
};

const calledChart = (element) => {
  const model = chosen("called", "model");
  const rows = data.called.filter((row) => row.model === model && row.split === chosen("called", "split"));
  const values = rows.flatMap(({ own, matrix, ...row }) => [[model, own], ["PWM", matrix]]
    .filter(([, rates]) => rates)
    .map(([by, [recall, precision, f1]]) => ({ ...row, by, recall, precision, f1 })));
  const both = rows.filter(({ matrix }) => matrix);
  const better = both.filter(({ own, matrix }) => own[2] > matrix[2]).length;
  document.getElementById("words-called").textContent = !values.length ? "No dataset has both." : both.length
    ? `Filled: ${model}; rings: the known matrix (PWM) of the same dataset. F1 is higher with ${model} on ${better} of ${both.length} datasets.`
    : `A point a dataset.`;
  if (!values.length) return null;
  const scale = { domain: [0, 1] };
  const x = quantity("recall", "Recall: share of the peaks that are found", scale);
  const y = quantity("precision", "Precision: share of the sites at a peak", scale);
  const tooltip = [{ field: "dataset", title: "Dataset" }, { field: "by", title: "Sites of" },
    ...["precision", "recall"].map((field) => ({ field, title: field === "recall" ? "Recall" : "Precision", format: ".3f" })),
    { field: "f1", title: "F1", format: ".3f" }];
  return { width: side(element), height: side(element), layer: [
    { data: { values }, mark: { type: "line", color: colour("soft"), opacity: 0.35, strokeWidth: 1 },
      encoding: { x, y, detail: { field: "dataset" } } },
    { data: { values: values.filter(({ by }) => by !== model) },
      mark: { type: "point", filled: false, size: 45, color: colour("soft"), cursor: "pointer" }, encoding: { x, y, tooltip } },
    { data: { values: values.filter(({ by }) => by === model) }, ...dots({ x, y, tooltip }) },
  ] };
};

const charts = { called: calledChart, pair: pairChart, sites: sitesChart, reliability: reliabilityChart, learning: learningChart };
const drawn = new Map();

const draw = async (name) => {
  const element = document.getElementById(`chart-${name}`);
  const spec = charts[name](element);
  drawn.get(name)?.finalize();
  drawn.delete(name);
  if (!spec) {
    element.replaceChildren();
    return;
  }
  const result = await window.vegaEmbed(element, spec, {
    ast: true, actions: false, renderer: "svg", mode: "vega-lite", config: theme(),
    tooltip: { theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light" },
  });
  drawn.set(name, result);
  result.view.addEventListener("click", (event, item) => {
    if (item?.datum?.anchor) location.hash = item.datum.anchor;
  });
};

// What each select offers follows from what stands in the ones before it.
const offerModels = (chart) => {
  const metrics = distinct(data.points.map(({ metric }) => metric));
  offer(chart, "metric", metrics, metrics[0]);
  const groups = distinct(data.points.filter(({ metric }) => metric === chosen(chart, "metric")).map(({ group }) => group));
  offer(chart, "group", groups, groups[0]);
  const models = distinct(pointsOf(chart).flatMap(({ scores }) => Object.keys(scores)));
  const network = models.find((model) => model.startsWith("DeepBind")) || models[0];
  offer(chart, "y", models, network);
  if (chart === "pair") offer(chart, "x", models, models.find((model) => model === "PWM") || models.find((model) => model !== network) || network);
};

const prepare = {
  called: () => {
    const splits = distinct(data.called.map(({ split }) => split));
    offer("called", "split", splits, splits[0]);
    const models = distinct(data.called.map(({ model }) => model));
    offer("called", "model", models, models[0]);
  },
  pair: () => offerModels("pair"),
  sites: () => offerModels("sites"),
  reliability: () => {
    const names = data.reliability.map(({ dataset }) => dataset);
    offer("reliability", "dataset", names, names[0]);
  },
  learning: () => {
    const metrics = distinct(data.learning.map(({ metric }) => metric));
    offer("learning", "metric", metrics, metrics[0]);
  },
};

const inView = new IntersectionObserver((found) => {
  for (const { isIntersecting, target } of found) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    draw(target.id.replace("chart-", ""));
  }
}, { rootMargin: "200px" });

for (const name of Object.keys(charts)) {
  const element = document.getElementById(`chart-${name}`);
  if (!element) continue;
  prepare[name]();
  inView.observe(element);
}
document.addEventListener("change", ({ target }) => {
  const name = target.dataset?.chart;
  if (!name) return;
  prepare[name]();
  draw(name);
});
const redraw = () => [...drawn.keys()].forEach(draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
let waiting;
window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 200); });
