// The page of one video: its state and the drawing of everything that depends on it.

const LANE_HEIGHT = 34;
const OVERVIEW_HEIGHT = 22;
const OVERVIEW_ROWS = 9; // labels beyond share the last
const NUMBERS = [
  "onset",
  "offset",
  "min_duration",
  "merge_gap",
  "smooth",
  "max_labels",
  "min_margin",
  "max_entropy",
];

// Each model's saved result, and what the page has changed of it.
const models = [content, ...content.models].map((saved) => ({
  ...saved,
  name: saved.record.model.id,
  unpacked: null, // its scores
  state: {
    given: {}, // options that the reader has set
    options: { ...saved.options }, // saved options with the given ones
    segments: saved.segments,
    selected: -1,
    corrected: null, // the segments, once one was corrected by hand
  },
}));
let model = models[0]; // the one that thresholds, corrections and keys apply to
let track = null; // its scores
let player = null;

const state = {
  from: 0,
  to: content.duration_seconds,
  filter: "",
  order: "length",
  allLabels: false,
  onlyInView: false,
  grouping: "time",
};
for (const name of Object.keys(model.state)) {
  Object.defineProperty(state, name, { get: () => model.state[name], set: (value) => (model.state[name] = value) });
}

/** Make a model the current one. */
function setModel(next) {
  model = next;
  track = next.unpacked;
}

/** Call a function for each model as the current one, and return its results. */
function ofEachModel(work) {
  const current = model;
  const results = models.map((one) => {
    setModel(one);
    return work(one);
  });
  setModel(current);
  return results;
}

function isAsSaved() {
  return !Object.keys(state.given).length;
}

/** Combine saved and given options as the command `vswin segment` does. */
function optionsWith(given) {
  const saved = model.options;
  const onset = given.onset ?? Math.max(saved.onset, given.offset ?? 0);
  const offset = given.offset ?? Math.min(saved.offset, onset);
  const onsets = given.onset === undefined ? saved.onsets : [];
  const min_durations = given.min_duration === undefined ? saved.min_durations : [];
  return { ...saved, ...given, onset, offset, onsets, min_durations };
}

/** Set an option. The other threshold moves along so that onset >= offset, and a value that equals
 * the saved one is not given. */
function setOption(name, value) {
  const { given } = state;
  given[name] = value;
  if (name === "onset" && given.offset > value) given.offset = value;
  if (name === "offset" && given.onset < value) given.onset = value;
  for (const one of Object.keys(given)) if (given[one] === model.options[one]) delete given[one];
  state.options = optionsWith(given);
}

/** Segment again: the saved segments with the saved options, else those that the page computes. */
function segmentAgain() {
  const at = state.segments[state.selected];
  if (state.corrected) {
    state.segments = state.corrected;
  } else if (isAsSaved() || !track) {
    state.segments = model.segments;
  } else {
    setGate(track, state.options, model.options);
    const { min_duration: minDuration, merge_gap: mergeGap, max_labels: maxLabels } = state.options;
    state.segments = findSegments(track, { ...state.options, minDuration, mergeGap, maxLabels });
  }
  state.selected = at
    ? state.segments.findIndex((one) => one.label === at.label && one.start < at.end && one.end > at.start)
    : -1;
  draw();
}

function shown(label) {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => label.toLowerCase().includes(word));
}

/** Group segments by label, in the chosen order. */
function lanes() {
  const found = new Map();
  state.segments.forEach((one, index) => {
    if (!found.has(one.label)) found.set(one.label, { label: one.label, items: [], seconds: 0 });
    const lane = found.get(one.label);
    lane.items.push({ one, index });
    lane.seconds += one.end - one.start;
  });
  if (track && state.allLabels) {
    for (const label of track.labels) {
      if (!found.has(label)) found.set(label, { label, items: [], seconds: 0 });
    }
  }
  const wanted = (lane) => shown(lane.label) && (!state.onlyInView || lane.items.some(inView));
  const orders = {
    length: (a, b) => b.seconds - a.seconds || byCodePoint(a.label, b.label),
    time: (a, b) => firstStart(a) - firstStart(b) || byCodePoint(a.label, b.label),
    name: (a, b) => byCodePoint(a.label, b.label),
  };
  return [...found.values()].filter(wanted).sort(orders[state.order]);
}

const inView = ({ one }) => one.end > state.from && one.start < state.to;
const firstStart = (lane) => (lane.items.length ? lane.items[0].one.start : Infinity);

function axisWidth() {
  return Math.max(50, Math.round(byId("ruler").getBoundingClientRect().width));
}

const scaleFor = (width) => (seconds) => ((seconds - state.from) / (state.to - state.from)) * width;

function place(node, start, end) {
  const percent = (seconds) => (100 * (seconds - state.from)) / (state.to - state.from);
  node.style.left = `${percent(start)}%`;
  if (end !== undefined) node.style.width = `${percent(end) - percent(start)}%`;
}

function gapParts() {
  return content.gaps.map((gap) => [gap.start, gap.end]);
}

function backdrop(width, height) {
  const scale = scaleFor(width);
  return [
    ...boxes(model.unseen, "unseen", scale, width, height),
    ...boxes(gapParts(), "gap", scale, width, height),
  ];
}

function laneTrack(lane, width, current) {
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${LANE_HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  drawing.append(...backdrop(width, LANE_HEIGHT));
  const column = track ? track.labels.indexOf(lane.label) : -1;
  if (column >= 0) {
    const heights = envelope(track, track.columns[column], state.from, state.to, width);
    const onset = onsetOf(state.options, lane.label);
    const limits = { onset, offset: Math.min(onset, state.options.offset) };
    drawing.append(curve(heights, LANE_HEIGHT), ...thresholdLines(limits, width, LANE_HEIGHT));
  }
  const box = element("div", { class: "track" }, drawing);
  box.style.setProperty("--label", labelColour(lane.label));
  for (const { one, index } of lane.items) {
    if (inView({ one })) box.append(segmentButton(one, index, width, current));
  }
  return box;
}

function segmentButton(one, index, width, current) {
  const what = `${one.label}, ${clock(one.start)} to ${clock(one.end)}, score ${one.score.toFixed(2)}`;
  const button = element("button", {
    type: "button",
    class: "segment",
    tabindex: index === Math.max(0, state.selected) && model === current ? 0 : -1,
    title: what,
    "aria-label": what,
    "data-index": index,
    "data-model": models.indexOf(model),
  });
  const scale = scaleFor(width);
  if (scale(one.end) - scale(one.start) > 36) button.append(element("span", {}, one.score.toFixed(2)));
  button.classList.toggle("selected", index === state.selected);
  button.classList.toggle("wrong", one.review === "wrong");
  place(button, one.start, one.end);
  return button;
}

/** Draw the lanes of all models, each model's below its name where there are several. */
function drawLanes() {
  const [width, current] = [axisWidth(), model];
  let hidden = 0;
  const groups = ofEachModel((one) => {
    const rows = lanes();
    hidden += new Set(state.segments.map((part) => part.label)).size - rows.filter((r) => r.items.length).length;
    return rows.map((lane) => {
      const count = lane.items.length;
      const sum = count ? `${length(lane.seconds)} in ${count}` : "below the thresholds";
      const name = element("div", { class: "name", title: lane.label });
      name.append(element("b", {}, labelDot(lane.label), lane.label), element("small", {}, sum));
      return element("div", { class: "lane" }, name, laneTrack(lane, width, current));
    });
  });
  const heads = models.map((one, i) => (models.length > 1 ? [modelHead(one, i, groups[i].length)] : []));
  byId("lanes").replaceChildren(...groups.flatMap((rows, i) => [...heads[i], ...rows]));
  byId("no-lanes").hidden = groups.some((rows) => rows.length > 0);
  byId("no-lanes").textContent = models.some((one) => one.state.segments.length)
    ? "No label matches the filter, or none is in view."
    : "No label reaches these thresholds.";
  byId("filter-note").textContent = hidden > 0 ? `${hidden} more labels hidden` : "";
}

/** Make the heading above the lanes of a model, which makes it the current one. */
function modelHead(one, index, count) {
  const button = element("button", { type: "button", "data-model": index, "aria-pressed": one === model }, one.name);
  const note = count ? "" : "no label is shown";
  return element("div", { class: "model" }, button, element("small", {}, note));
}

function drawRuler() {
  const width = axisWidth();
  const drawing = svg("svg", { viewBox: `0 0 ${width} 24`, preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(...ticks(state.from, state.to, width));
  byId("ruler").replaceChildren(drawing);
}

/** Draw as many thumbnails as fit side by side, each at its own time. */
function drawStrip() {
  const [strip, width] = [byId("strip"), axisWidth()];
  const images = [];
  let free = 0;
  for (const one of content.thumbnails) {
    const pixels = (54 * one.width) / one.height;
    const left = scaleFor(width)(one.seconds) - pixels / 2;
    const x = Math.min(Math.max(left, 0), width - pixels);
    if (one.seconds < state.from || one.seconds > state.to || x < free) continue;
    free = x + pixels + 2;
    const image = element("img", { src: one.url, alt: "", title: clock(one.seconds), height: 54, width: pixels });
    image.dataset.seconds = one.seconds;
    image.style.left = `${(100 * x) / width}%`;
    images.push(image);
  }
  strip.replaceChildren(...images);
  strip.hidden = !content.thumbnails.length;
  byId("strip-name").hidden = strip.hidden;
}

/** Draw the cells that margin or entropy gate, in a row of their own. */
function drawUndecided() {
  if (track) setGate(track, state.options, model.options);
  const parts = track ? runsOf(track.gated.length, (i) => track.gated[i] && track.valid[i]) : [];
  byId("gate-row").hidden = byId("gate-key").hidden = !parts.length;
  if (!parts.length) return;
  const [width, scale] = [axisWidth(), scaleFor(axisWidth())];
  const edge = (cell) => scale(track.start + cell * track.step);
  const drawing = svg("svg", { viewBox: `0 0 ${width} 8`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const d = parts
    .map(([start, stop]) => [Math.max(0, edge(start)), Math.min(width, edge(stop))])
    .filter(([left, right]) => right > left)
    .map(([left, right]) => `M${left.toFixed(1)} 0H${right.toFixed(1)}V8H${left.toFixed(1)}Z`);
  drawing.append(svg("path", { class: "undecided", d: d.join("") }));
  byId("undecided").replaceChildren(drawing);
}

/** Say how much time is gated, or nothing. */
function undecidedText() {
  const cells = track ? track.gated.reduce((sum, flag, i) => sum + (flag && track.valid[i]), 0) : 0;
  return cells ? `, ${length(cells * track.step)} undecided` : "";
}

function drawOverview() {
  const width = axisWidth();
  const all = (seconds) => (seconds / content.duration_seconds) * width;
  const full = OVERVIEW_HEIGHT;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${full}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(...boxes(model.unseen, "unseen", all, width, full), ...boxes(gapParts(), "gap", all, width, full));
  const orders = ofEachModel(() => lanes().map((lane) => lane.label));
  const height = (full - 4) / Math.min(Math.max(orders.flat().length, 1), OVERVIEW_ROWS);
  let before = 0; // lanes of the models above
  models.forEach(({ state: { segments } }, i) => {
    for (const one of segments) {
      if (!orders[i].includes(one.label)) continue;
      const [x, row] = [all(one.start), Math.min(before + orders[i].indexOf(one.label), OVERVIEW_ROWS - 1)];
      const size = { width: Math.max(1, all(one.end) - x), height: Math.max(1, height - 0.5) };
      drawing.append(svg("rect", { x, y: 2 + row * height, fill: labelColour(one.label), ...size }));
    }
    before += orders[i].length;
  });
  const left = all(state.from);
  drawing.append(svg("rect", { class: "view", x: left + 0.5, y: 0.5, width: Math.max(3, all(state.to) - left - 1), height: full - 1 }));
  byId("overview").replaceChildren(drawing);
}

function draw() {
  drawOverview();
  drawStrip();
  drawUndecided();
  drawRuler();
  drawLanes();
  drawCards();
  drawCount();
  drawDetail();
  drawCommand();
  drawCorrected();
  drawPlayhead();
}

function drawPlayhead() {
  const now = player ? player.time() : 0;
  const head = byId("playhead");
  head.hidden = now < state.from || now > state.to;
  byId("over").style.setProperty("--at", String((now - state.from) / (state.to - state.from)));
  byId("now").textContent = clock(now);
  byId("add").textContent = `Add a segment at ${clock(now)}`;
  player?.drawStill(now);
  for (const button of byId("lanes").querySelectorAll(".segment")) {
    const one = models[button.dataset.model].state.segments[button.dataset.index];
    button.classList.toggle("playing", one.start <= now && now < one.end);
  }
}

/** Show the command that gives the same segments; other options come from the score file. */
function drawCommand() {
  const names = NUMBERS.filter((name) => name in state.given);
  byId("command").hidden = !names.length || Boolean(state.corrected);
  const words = names.map((name) => `--${name.replaceAll("_", "-")} ${state.given[name]}`);
  const scores = models.length > 1 ? `SCORES.${model.name}.npz` : "SCORES";
  byId("command-text").textContent = `vswin segment ${scores} ${words.join(" ")}`;
}
