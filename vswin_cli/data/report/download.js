// Files of the segments that are shown, as the command writes them.

const CSV_COLUMNS = "video,start,end,duration,start_tc,end_tc,label,class_id,score,score_max,peak,windows,model";
const SHORTEST_MS = 400; // as in vswin_cli/export/disjoint.py

const wanted = () => state.segments.filter((one) => one.review !== "wrong");
const rounded = (value, digits) => Number(value.toFixed(digits));

/** Round to whole milliseconds, halves to even, as Python does. */
function milliseconds(seconds) {
  const exact = seconds * 1000;
  const low = Math.floor(exact);
  if (exact - low === 0.5) return low + (low % 2);
  return Math.round(exact);
}

function timecode(ms, point) {
  const two = (number) => String(number).padStart(2, "0");
  const whole = Math.floor(ms / 1000);
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
}

/** Make the record of a segment as in `vswin.timeline/1`. */
function segmentRecord(one, id) {
  const others = one.alternatives ?? (one.cells ? runnersUp(track, one, model.options.alternatives) : []);
  const record = {
    id,
    start: one.start,
    end: one.end,
    label: one.label,
    class_id: one.class_id === undefined ? classOf(one.label) : one.class_id,
    score: rounded(one.score, 4),
    score_max: rounded(one.score_max, 4),
    peak: one.peak,
    windows: one.windows ?? 0,
    start_frame: one.start_frame ?? null,
    end_frame: one.end_frame ?? null,
    alternatives: others.map((other) => ({ label: other.label, class_id: other.class_id === undefined ? classOf(other.label) : other.class_id, score: rounded(other.score, 4) })),
  };
  if (one.evidence) record.evidence = one.evidence;
  if (one.review) record.review = one.review;
  return record;
}

function summaryOf(segments) {
  const totals = new Map();
  for (const one of segments) {
    const key = JSON.stringify([one.label, one.class_id]);
    const sum = totals.get(key) ?? { label: one.label, class_id: one.class_id, seconds: 0, segments: 0, max_score: 0 };
    sum.seconds += one.end - one.start;
    sum.segments += 1;
    sum.max_score = Math.max(sum.max_score, one.score_max);
    totals.set(key, sum);
  }
  const rows = [...totals.values()].map((row) => ({ ...row, seconds: rounded(row.seconds, 6) }));
  return rows.sort((a, b) => b.seconds - a.seconds || byCodePoint(a.label, b.label));
}

/** Make the whole timeline with the segments and thresholds of the page, of all models. */
function timelineDocument() {
  const [first, ...others] = ofEachModel(modelDocument);
  const tracks = others.map(({ schema, tool, created, status, video, ...own }) => own);
  const isSaved = ofEachModel(() => isAsSaved() && !state.corrected).every(Boolean);
  const created = isSaved ? content.record.created : new Date().toISOString().replace(/\.\d+/, "");
  return { ...first, created, ...(tracks.length ? { tracks } : {}) };
}

/** Make the timeline of the current model alone. */
function modelDocument() {
  const segments = wanted().map(segmentRecord);
  const { given, options } = state;
  const names = { onset: "on", offset: "off", smooth: "smooth_seconds" };
  const postprocess = { ...model.record.postprocess };
  for (const name of NUMBERS) if (name in given) postprocess[names[name] ?? name] = options[name];
  if (Object.keys(given).length) {
    // Values of single labels stay those of the run, or one for all overrides them.
    const ofLabels = (name) => (options[name].length ? model.record.postprocess[name] : []);
    const [onsets, min_durations] = [ofLabels("onsets"), ofLabels("min_durations")];
    Object.assign(postprocess, { on: options.onset, off: options.offset, onsets, min_durations });
  }
  const warnings = [...model.record.warnings];
  if (state.corrected) warnings.push({ code: "CORRECTED", message: "segments were corrected by hand" });
  const { schema, tool, created, status, video, model: weights, sampling, coverage } = model.record;
  return { schema, tool, created, status, video, model: weights, sampling, postprocess, coverage, warnings, summary: summaryOf(segments), segments, windows: null };
}

function csvCell(text) {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : String(text);
}

/** Mark a text that a spreadsheet would run as a formula. */
function spreadsheetText(text) {
  return /^[=+\-@]/.test(text) ? `'${text}` : text;
}

function csvText() {
  const rows = ofEachModel(modelRows).flat();
  return [CSV_COLUMNS, ...rows.map((row) => row.map(csvCell).join(","))].join("\n") + "\n";
}

/** Make the cells of a row for each segment of the current model. */
function modelRows() {
  const number = (seconds) => String(rounded(seconds, 6));
  return wanted().map(segmentRecord).map((one) => [
    content.table_name,
    number(one.start),
    number(one.end),
    number(one.end - one.start),
    timecode(milliseconds(one.start), "."),
    timecode(milliseconds(one.end), "."),
    spreadsheetText(one.label),
    one.class_id ?? "",
    one.score.toFixed(4),
    one.score_max.toFixed(4),
    number(one.peak),
    one.windows,
    spreadsheetText(model.record.model.id),
  ]);
}

/** Cut segments at every edge into parts [start, end, texts], in milliseconds. */
function disjointParts() {
  const spans = wanted().map((one) => {
    const start = milliseconds(one.start);
    return [start, Math.max(start + 1, milliseconds(one.end)), `${one.label} ${one.score.toFixed(2)}`.replaceAll("-->", "->")];
  });
  const edges = [...new Set(spans.flatMap(([start, end]) => [start, end]))].sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const holding = spans.filter(([start, end]) => start <= edges[i] && end > edges[i]);
    const texts = [...new Set(holding.map((one) => one[2]))];
    if (texts.length) parts.push([edges[i], edges[i + 1], texts]);
  }
  return joinedParts(withoutShortOverlaps(parts));
}

function withoutShortOverlaps(parts) {
  const kept = [];
  parts.forEach(([start, end, texts], i) => {
    const [before, after] = [kept.at(-1), parts[i + 1]];
    const isBetween = before && after && before[1] === start && after[0] === end && end - start < SHORTEST_MS;
    const around = isBetween ? new Set([...before[2], ...after[2]]) : null;
    const isSame = around && around.size === texts.length && texts.every((text) => around.has(text));
    if (isSame) before[1] = end;
    else kept.push([start, end, texts]);
  });
  return kept;
}

function joinedParts(parts) {
  const joined = [];
  for (const [start, end, texts] of parts) {
    const last = joined.at(-1);
    const isSame = last && last[1] === start && JSON.stringify(last[2]) === JSON.stringify(texts);
    if (isSame) last[1] = end;
    else joined.push([start, end, texts]);
  }
  return joined;
}

/** Write the cues of the current model; those of several would hide each other. */
function srtText() {
  const cues = disjointParts().map(([start, end, texts], i) => {
    const [from, to] = [start + leadMilliseconds(), end + leadMilliseconds()];
    return `${i + 1}\n${timecode(from, ",")} --> ${timecode(to, ",")}\n${texts.join("\n")}\n`;
  });
  return cues.join("\n");
}

/** Players count from the sound where it begins first. */
function leadMilliseconds() {
  return milliseconds(content.lead_seconds);
}

const FILES = {
  json: ["application/json", () => JSON.stringify(timelineDocument(), null, 1) + "\n"],
  csv: ["text/csv", csvText],
  srt: ["application/x-subrip", srtText],
};

function download(kind) {
  const [type, make] = FILES[kind];
  const stem = content.name.replace(/\.[^.]+$/, "") || "video";
  const isCorrected = models.some((one) => one.state.corrected);
  const link = element("a", { download: `${stem}${isCorrected ? ".corrected" : ""}.${kind}` });
  link.href = URL.createObjectURL(new Blob([make()], { type }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function wireDownloads() {
  for (const kind of Object.keys(FILES)) byId(`save-${kind}`).addEventListener("click", () => download(kind));
  byId("save-corrected").addEventListener("click", () => download("json"));
}
