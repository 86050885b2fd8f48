// Correct segments by hand: mark them right or wrong, change label and edges, add new ones.
//
// The first correction takes the segments that are shown as they are; thresholds do not apply from then on.

/** Name under which the corrections of the current model are kept. */
function keptAs() {
  const { video, created } = model.record;
  return `vswin corrections ${video.uri} ${created}${model === models[0] ? "" : ` ${model.name}`}`;
}

/** Begin a list of corrected segments, or go on with it. */
function corrected() {
  state.corrected ??= state.segments.map((one) => ({ ...one }));
  state.segments = state.corrected;
  return state.corrected;
}

/** Take over a change of the corrected list, and select a segment of it. */
function afterCorrection(one) {
  state.corrected.sort((a, b) => a.start - b.start || byCodePoint(a.label, b.label));
  state.segments = state.corrected;
  state.selected = one ? state.corrected.indexOf(one) : -1;
  showSelectedCard();
  keepCorrections();
  draw();
}

/** Mark the selected segment right or wrong; the same mark again takes it back. */
function mark(review) {
  if (!state.segments[state.selected]) return;
  const one = corrected()[state.selected];
  one.review = one.review === review ? one.before : review;
  afterCorrection(one);
}

/** Change label or edges of the selected segment. */
function change(values) {
  if (!state.segments[state.selected]) return;
  const one = { ...corrected()[state.selected], ...values };
  if (!one.label.trim() || !(one.start >= 0) || !(one.end > one.start) || one.end > content.duration_seconds + 1e-6) {
    drawReview(state.segments[state.selected]);
    return;
  }
  const before = state.corrected[state.selected];
  if (one.label !== before.label) one.class_id = classOf(one.label);
  one.peak = Math.min(Math.max(one.peak, one.start), one.end);
  one.start_frame = one.end_frame = null; // numbered by the command, which has the video's rate
  one.review = one.before = before.before === "added" ? "added" : "corrected";
  delete one.evidence;
  state.corrected[state.selected] = one;
  afterCorrection(one);
}

/** Add a segment of two seconds at the playhead, with the label of the selected one. */
function addSegment() {
  const start = micro(Math.min(player.time(), Math.max(0, content.duration_seconds - 0.1)));
  const end = micro(Math.min(start + 2, content.duration_seconds));
  const label = state.segments[state.selected]?.label ?? lanes()[0]?.label ?? labelNames()[0] ?? "label";
  const one = { start, end, label, class_id: classOf(label), score: 1, score_max: 1, peak: micro((start + end) / 2), review: "added", before: "added" };
  corrected().push(one);
  afterCorrection(one);
  byId("edit-label").focus();
}

function discardCorrections() {
  state.corrected = null;
  keepCorrections();
  segmentAgain();
}

function labelNames() {
  return [...new Set([...model.label_names, ...state.segments.map((one) => one.label)])].sort();
}

/** Find the class of a label; `null` for a group and for a label that the model does not have. */
function classOf(label) {
  const known = model.segments.find((one) => one.label === label);
  const index = model.label_names.indexOf(label);
  return known ? known.class_id : index < 0 ? null : index;
}

/** Keep the corrections in this browser, so that they outlast closing the page. */
function keepCorrections() {
  try {
    if (state.corrected) localStorage.setItem(keptAs(), JSON.stringify(state.corrected.map(({ cells, ...one }) => one)));
    else localStorage.removeItem(keptAs());
  } catch {
    // no storage for local files, or none left: the download remains
  }
}

function restoreCorrections() {
  try {
    state.corrected = JSON.parse(localStorage.getItem(keptAs()));
    if (state.corrected) state.segments = state.corrected;
  } catch {
    state.corrected = null;
  }
}

function drawReview(one) {
  const isOf = (id, value) => document.activeElement !== byId(id) && (byId(id).value = value);
  isOf("edit-label", one.label);
  isOf("edit-start", one.start.toFixed(2));
  isOf("edit-end", one.end.toFixed(2));
  byId("mark-right").setAttribute("aria-pressed", one.review === "right");
  byId("mark-wrong").setAttribute("aria-pressed", one.review === "wrong");
}

function drawCorrected() {
  const list = state.corrected;
  byId("corrected").hidden = !list;
  byId("how-to-correct").hidden = Boolean(list) || !state.segments.length;
  byId("tuning").disabled = Boolean(list);
  document.body.classList.toggle("is-corrected", Boolean(list));
  if (!list) return;
  const names = { right: "right", wrong: "wrong", corrected: "changed", added: "added" };
  const counts = Object.entries(names)
    .map(([review, name]) => [list.filter((one) => one.review === review).length, name])
    .filter((pair) => pair[0])
    .map((pair) => pair.join(" "));
  byId("corrected-text").textContent = `Corrected by hand: ${counts.join(", ") || "nothing yet"}. Wrong segments are left out of downloads; thresholds do not apply.`;
}

function wireReview() {
  byId("mark-right").addEventListener("click", () => mark("right"));
  byId("mark-wrong").addEventListener("click", () => mark("wrong"));
  byId("edit-label").addEventListener("change", (event) => change({ label: event.target.value.trim() }));
  byId("edit-start").addEventListener("change", (event) => change({ start: Number(event.target.value) }));
  byId("edit-end").addEventListener("change", (event) => change({ end: Number(event.target.value) }));
  byId("start-now").addEventListener("click", () => change({ start: micro(player.time()) }));
  byId("end-now").addEventListener("click", () => change({ end: micro(player.time()) }));
  byId("add").addEventListener("click", addSegment);
  byId("discard").addEventListener("click", discardCorrections);
  showLabelNames();
}

/** Offer the labels of the current model where a label can be typed. */
function showLabelNames() {
  byId("label-names").replaceChildren(...labelNames().map((name) => element("option", { value: name })));
}
