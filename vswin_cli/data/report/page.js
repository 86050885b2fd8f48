// The page of one video: navigation and controls.

function show(from, to) {
  const total = content.duration_seconds;
  const span = Math.min(total, Math.max(to - from, Math.min(1, total)));
  state.from = Math.min(Math.max(0, from), total - span);
  state.to = state.from + span;
  draw();
}

function zoom(factor, at = player.time()) {
  const share = at >= state.from && at <= state.to ? at : (state.from + state.to) / 2;
  show(share - (share - state.from) * factor, share + (state.to - share) * factor);
}

/** Scroll the axis so that a time is in view, if possible in the middle. */
function reveal(start, end) {
  const span = state.to - state.from;
  if (start >= state.from && end <= state.to) return;
  const middle = (start + Math.min(end, start + span)) / 2;
  show(middle - span / 2, middle + span / 2);
}

/** Make another model the one that thresholds, corrections and keys apply to. */
function changeModel(next) {
  if (next === model) return;
  state.selected = -1;
  setModel(next);
  showOptions();
  showTrack();
  showLabelNames();
  draw();
}

/** Select the segment that a node of the page stands for. */
function selectIn(data) {
  changeModel(models[data.model]);
  select(Number(data.index));
}

function select(index, { seek = true } = {}) {
  const one = state.segments[index];
  if (!one) return;
  state.selected = index;
  showSelectedCard();
  reveal(one.start, one.end);
  draw();
  scrollToLane(byId("lanes").querySelector(".segment.selected"));
  if (seek) player.seek(one.start);
}

/** Scroll the box of lanes, never the page. */
function scrollToLane(node) {
  if (!node) return;
  const [box, lane] = [byId("over"), node.closest(".lane").getBoundingClientRect()];
  const top = byId("axis").getBoundingClientRect().bottom;
  const bottom = box.getBoundingClientRect().bottom;
  if (lane.top < top) box.scrollTop -= top - lane.top;
  else if (lane.bottom > bottom) box.scrollTop += lane.bottom - bottom;
}

function step(direction) {
  const indices = state.segments.map((_, i) => i).filter((i) => shown(state.segments[i].label));
  const now = player.time();
  let at = indices.indexOf(state.selected);
  if (at < 0) {
    at = direction > 0 ? indices.findIndex((i) => state.segments[i].start >= now) - 1 : indices.length;
    if (at === -2) at = indices.length - 1;
  }
  const next = Math.min(Math.max(at + direction, 0), indices.length - 1);
  if (indices.length) select(indices[next]);
}

function move(seconds) {
  player.seek(player.time() + seconds);
  reveal(player.time(), player.time());
}

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: (event) => move(event.shiftKey ? -1 : -5),
  ArrowRight: (event) => move(event.shiftKey ? 1 : 5),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Home: () => player.seek(0),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: () => show(0, content.duration_seconds),
  "/": () => byId("filter").focus(),
  r: () => mark("right"),
  x: () => mark("wrong"),
  "[": () => change({ start: micro(player.time()) }),
  "]": () => change({ end: micro(player.time()) }),
  n: () => addSegment(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea, video, summary, a");
  if (event.key === "Escape") document.activeElement.blur();
  const button = event.target.closest("button");
  if (event.key === "Enter") return;
  if (field || !KEYS[event.key] || (button && event.key === " ")) return;
  event.preventDefault();
  KEYS[event.key](event);
}

function secondsAt(event) {
  const box = byId("ruler").getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  return state.from + share * (state.to - state.from);
}

function onTimelineClick(event) {
  const target = event.target;
  const button = target.closest(".segment");
  const head = target.closest(".model button");
  if (button) selectIn(button.dataset);
  else if (head) changeModel(models[head.dataset.model]);
  else if (target.closest("#overview")) {
    const box = byId("overview").getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * content.duration_seconds;
    player.seek(at);
    reveal(at, at);
  } else if (target.dataset.seconds) player.seek(Number(target.dataset.seconds));
  else if (target.closest(".track, #ruler, #strip")) player.seek(secondsAt(event));
}

function onWheel(event) {
  const sideways = event.shiftKey ? event.deltaY : event.deltaX;
  if (event.ctrlKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, secondsAt(event));
  else if (Math.abs(sideways) > Math.abs(event.shiftKey ? event.deltaX : event.deltaY)) {
    const seconds = (sideways / axisWidth()) * (state.to - state.from);
    show(state.from + seconds, state.to + seconds);
  } else return;
  event.preventDefault();
}

let pending = 0;
function soon(work) {
  cancelAnimationFrame(pending);
  pending = requestAnimationFrame(work);
}

function onOption(event) {
  const name = event.target.id;
  const value = Number(event.target.value);
  if (event.target.value === "" || !(value >= 0)) return;
  setOption(name, value);
  showOptions(event.target);
  soon(segmentAgain);
}

/** Show the options in their fields, except in the one that is being edited. */
function showOptions(except) {
  for (const name of NUMBERS) {
    if (byId(name) !== except) byId(name).value = state.options[name];
    const output = byId(`${name}-value`);
    if (output) output.textContent = state.options[name].toFixed(2);
  }
  const own = state.options.onsets.map((one) => `${one.label} ${one.onset.toFixed(2)}`);
  byId("own-note").textContent = own.length ? `Begin at a score of their own: ${own.join(", ")}.` : "";
  byId("own-hint").hidden = !own.length;
  byId("own-durations").textContent = durationNote(state.options.min_durations);
}

/** Describe minimum durations of single labels, those of the same length together. */
function durationNote(durations) {
  const lengths = [...new Set(durations.map((one) => one.min_duration_seconds))];
  const parts = lengths.map((seconds) => {
    const labels = durations.filter((one) => one.min_duration_seconds === seconds);
    return `${seconds} s: ${labels.map((one) => one.label).join(", ")}`;
  });
  return parts.length ? `Last at least ${parts.join("; ")}.` : "";
}

function reset() {
  state.given = {};
  state.options = optionsWith(state.given);
  showOptions();
  segmentAgain();
}

function wireControls() {
  for (const name of NUMBERS) byId(name).addEventListener("input", onOption);
  byId("reset").addEventListener("click", reset);
  byId("model").append(...models.map((one, i) => element("option", { value: i }, one.name)));
  byId("model-choice").hidden = models.length < 2;
  byId("model").addEventListener("change", (event) => changeModel(models[event.target.value]));
  byId("filter").addEventListener("input", (event) => {
    state.filter = event.target.value;
    draw();
  });
  byId("order").addEventListener("change", (event) => {
    state.order = event.target.value;
    draw();
  });
  byId("all-labels").addEventListener("change", (event) => {
    state.allLabels = event.target.checked;
    draw();
  });
  byId("in-view").addEventListener("change", (event) => {
    state.onlyInView = event.target.checked;
    draw();
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-all").addEventListener("click", () => show(0, content.duration_seconds));
  byId("over").addEventListener("click", onTimelineClick);
  byId("over").addEventListener("wheel", onWheel, { passive: false });
  byId("show-evidence").addEventListener("change", drawDetail);
  wireCards();
  wireReview();
  wireDownloads();
  document.addEventListener("keydown", onKey);
  new ResizeObserver(() => soon(draw)).observe(byId("ruler"));
}

async function start() {
  player = createPlayer(content, drawPlayhead);
  ofEachModel(restoreCorrections);
  wireControls();
  showOptions();
  draw();
  for (const one of models) one.unpacked = await unpackTrack(one.track);
  setModel(model);
  showTrack();
  draw();
  document.body.dataset.ready = "yes";
}

/** Show what the scores of the current model allow. */
function showTrack() {
  byId("model").value = models.indexOf(model);
  byId("save-srt").title = models.length > 1 ? `of ${model.name}` : "";
  byId("tuning").hidden = !track;
  byId("no-scores").hidden = Boolean(track);
  byId("gate").hidden = !track?.margins;
  for (const node of document.querySelectorAll(".needs-scores")) node.hidden = !track;
  if (track) {
    const least = model.track.lowest_onset;
    byId("onset").min = Math.min(least, model.options.onset);
    byId("low-note").textContent = model.track.num_left_out
      ? `${model.track.num_left_out} labels that never reach ${least.toFixed(2)} are not in this file; below it thresholds find less than the command.`
      : "";
    byId("exact-note").textContent = model.track.bits === 16 ? "" : "Scores in this file are rounded to 1/256 to keep it small.";
  }
}

start();
