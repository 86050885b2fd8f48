// Turn scores into segments by the rules of vswin_cli/timeline/segments.py and runs.py.
//
// An exact port: arithmetic that the command does in single precision is rounded to single here,
// too, so that equal scores and options give equal segments.

const EPSILON = 1e-6; // of a cell: absorbs rounding when seconds become cells
const single = Math.fround;

/** List the maximal runs of true cells as half-open [start, stop) pairs. */
function runsOf(count, isActive) {
  const runs = [];
  let start = -1;
  for (let i = 0; i <= count; i++) {
    const active = i < count && isActive(i);
    if (active && start < 0) start = i;
    if (!active && start >= 0) {
      runs.push([start, i]);
      start = -1;
    }
  }
  return runs;
}

/** Smooth values by a centred raised-cosine average over `width` cells. */
function smooth(values, width) {
  const n = values.length;
  width = Math.min(width | 1, 2 * n - 1);
  if (width <= 1 || n === 0) return values.slice();
  const half = (width - 1) / 2; // cells to each side
  const weights = Array.from(
    { length: width },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (width + 1)),
  );
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    let total = 0;
    for (let k = Math.max(0, i - half); k <= Math.min(n - 1, i + half); k++) {
      const weight = weights[half + i - k];
      sum += values[k] * weight;
      total += weight;
    }
    out[i] = sum / total;
  }
  return out;
}

/** Find the maximal runs that stay at `offset` or above and reach `onset` somewhere. */
function hysteresis(values, onset, offset) {
  const [high, low] = [single(onset), single(offset)];
  return runsOf(values.length, (i) => values[i] >= low).filter(([start, stop]) => {
    for (let i = start; i < stop; i++) if (values[i] >= high) return true;
    return false;
  });
}

/** Find the peaks that reach `onset`; of a plateau the first cell. */
function peaksOf(values, onset) {
  const isPeak = (i) =>
    values[i] >= single(onset) &&
    (i === 0 || values[i] > values[i - 1]) &&
    (i + 1 === values.length || values[i] >= values[i + 1]);
  return [...values.keys()].filter(isPeak).map((i) => [i, i + 1]);
}

/** Divide runs at the breaks inside them; a break is the first cell of the part after it. */
function splitRuns(runs, breaks) {
  return runs.flatMap(([start, stop]) => {
    const edges = [start, ...breaks.filter((cell) => start < cell && cell < stop), stop];
    return edges.slice(1).map((edge, i) => [edges[i], edge]);
  });
}

/** Join neighbours that are at most `maxGap` cells apart, with no break between them. */
function mergeRuns(runs, maxGap, breaks) {
  const merged = [];
  for (const [start, stop] of runs) {
    const last = merged[merged.length - 1];
    const isNear = last && start - last[1] <= maxGap;
    const isDivided = isNear && breaks.some((cell) => last[1] <= cell && cell <= start);
    if (isNear && !isDivided) last[1] = Math.max(last[1], stop);
    else merged.push([start, stop]);
  }
  return merged;
}

/** Keep at most `maxLabels` of the active labels in each cell. */
function limitLabels(scores, active, maxLabels, switchCost) {
  const count = scores[0].length;
  const left = active.map((flags) => flags.slice());
  const kept = active.map((flags) => new Uint8Array(flags.length));
  for (let round = 0; round < maxLabels; round++) {
    for (const [start, stop] of runsOf(count, (i) => left.some((flags) => flags[i]))) {
      const path = bestPath(scores, left, start, stop, switchCost);
      for (let i = start; i < stop; i++) kept[path[i - start]][i] = 1;
    }
    for (let l = 0; l < left.length; l++) {
      for (let i = 0; i < count; i++) if (kept[l][i]) left[l][i] = 0;
    }
  }
  return kept;
}

/** Choose one active label per cell of [start, stop) with the largest total score (Viterbi). */
function bestPath(scores, active, start, stop, switchCost) {
  const labels = [];
  for (let l = 0; l < active.length; l++) {
    for (let i = start; i < stop; i++) {
      if (active[l][i]) {
        labels.push(l);
        break;
      }
    }
  }
  const cost = single(switchCost);
  const gain = (k, i) => (active[labels[k]][i] ? scores[labels[k]][i] : -Infinity);
  let total = Float32Array.from(labels, (_, k) => gain(k, start));
  const cameFrom = [];
  for (let i = start + 1; i < stop; i++) {
    const best = argmax(total);
    const switched = single(total[best] - cost);
    const from = new Int32Array(labels.length);
    const next = new Float32Array(labels.length);
    for (let k = 0; k < labels.length; k++) {
      const changes = switched > total[k];
      from[k] = changes ? best : k;
      next[k] = single(changes ? switched : total[k]) + gain(k, i);
    }
    cameFrom.push(from);
    total = next;
  }
  const path = new Int32Array(stop - start);
  let at = argmax(total);
  for (let i = path.length - 1; i > 0; i--) {
    path[i] = labels[at];
    at = cameFrom[i - 1][at];
  }
  path[0] = labels[at];
  return path;
}

function argmax(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}

/**
 * Find the segments of a track, sorted by start, then label.
 *
 * track: {start, step, labels, classes, columns (Float32Array per label, over all cells), valid,
 *   gated (Uint8Array), sections ([start, end, first cell, stop cell]),
 *   boundaries ({cell, label, score})}.
 * options: {onset, offset, minDuration, mergeGap, smooth, maxLabels, instants (labels),
 *   onsets ({label, onset} of those with one of their own),
 *   min_durations ({label, min_duration_seconds} likewise)}.
 * Smoothed columns are cached on the track, since thresholds move more often than smoothing.
 */
function findSegments(track, options) {
  const atMost = (seconds) => Math.floor(seconds / track.step + EPSILON);
  const numValid = track.valid.reduce((sum, flag) => sum + flag, 0);
  const atLeast = (seconds) =>
    Math.min(Math.max(1, Math.ceil(seconds / track.step - EPSILON)), Math.max(1, numValid));
  const rules = {
    ...options,
    smoothCells: atMost(options.smooth),
    mergeCells: atMost(options.mergeGap),
    minCells: atLeast(options.minDuration),
    minCellsOf: track.labels.map((label) => atLeast(minDurationOf(options, label))),
  };
  const candidates = candidateColumns(track, options);
  const boundaries = boundaryCells(track, options);
  const found = [];
  for (const section of track.sections) {
    const cells = validCells(track, section);
    const breaks = boundaries.map((cell) => cells.indexOf(cell)).filter((place) => place >= 0);
    for (const [column, run] of stretchRuns(track, cells, candidates, breaks, rules)) {
      found.push(describe(track, section, cells, column, run));
    }
  }
  return found.sort((a, b) => a.start - b.start || byCodePoint(a.label, b.label));
}

function validCells(track, section) {
  const cells = [];
  for (let i = section[2]; i < section[3]; i++) if (track.valid[i]) cells.push(i);
  return Int32Array.from(cells);
}

function onsetOf(options, label) {
  return options.onsets.find((own) => own.label === label)?.onset ?? options.onset;
}

function minDurationOf(options, label) {
  const own = options.min_durations.find((one) => one.label === label);
  return own?.min_duration_seconds ?? options.minDuration;
}

/** List the cells at which segments end and others begin, rising. */
function boundaryCells(track, options) {
  const counts = ({ label, score }) => score >= single(onsetOf(options, label));
  const cells = new Set(track.boundaries.filter(counts).map((one) => one.cell));
  return [...cells].sort((a, b) => a - b);
}

/** Find the columns whose largest score reaches their onset. */
function candidateColumns(track, options) {
  track.largest ??= track.columns.map((values) => {
    let largest = -1;
    for (let i = 0; i < values.length; i++) {
      if (!track.gated[i] && values[i] > largest) largest = values[i];
    }
    return largest;
  });
  const reaches = (label, column) => track.largest[column] >= single(onsetOf(options, label));
  return [...track.labels.keys()].filter((column) => reaches(track.labels[column], column));
}

/** Smooth a column over cells; gated cells are -1, below even an offset of 0. */
function smoothedColumn(track, cells, column, width) {
  const key = [cells[0], cells.length, column, width].join(" ");
  track.smoothed ??= new Map();
  if (!track.smoothed.has(key)) {
    const plain = new Float32Array(cells.length);
    for (let i = 0; i < cells.length; i++) plain[i] = track.columns[column][cells[i]];
    const values = smooth(plain, width);
    for (let i = 0; i < cells.length; i++) if (track.gated[cells[i]]) values[i] = -1;
    if (track.smoothed.size > 4096) track.smoothed.clear();
    track.smoothed.set(key, values);
  }
  return track.smoothed.get(key);
}

/** Find [column, run] pairs over a section's valid cells, which `breaks` divide. */
function stretchRuns(track, cells, candidates, breaks, rules) {
  const smoothed = new Map();
  const instants = [];
  const found = [];
  for (const column of candidates) {
    const isInstant = rules.instants.includes(track.labels[column]);
    const values = smoothedColumn(track, cells, column, isInstant ? 0 : rules.smoothCells);
    const onset = onsetOf(rules, track.labels[column]);
    if (isInstant) {
      instants.push(...peaksOf(values, onset).map((run) => [column, run]));
      continue;
    }
    const reached = hysteresis(values, onset, Math.min(onset, rules.offset));
    const runs = mergeRuns(splitRuns(reached, breaks), rules.mergeCells, breaks);
    const shortest = rules.minCellsOf[column];
    for (const run of runs) if (run[1] - run[0] >= shortest) found.push([column, run]);
    if (runs.length) smoothed.set(column, values);
  }
  if (rules.maxLabels === 0) return [...instants, ...found];
  const limited = clustersOf(found).flatMap((cluster) =>
    cluster.length <= rules.maxLabels ? cluster : settle(track, smoothed, cluster, rules),
  );
  return [...instants, ...limited];
}

/** Group runs that overlap directly or through others. */
function clustersOf(found) {
  const sorted = found
    .slice()
    .sort((a, b) => a[1][0] - b[1][0] || a[1][1] - b[1][1] || a[0] - b[0]);
  const clusters = [];
  let until = 0;
  for (const item of sorted) {
    if (!clusters.length || item[1][0] >= until) clusters.push([]);
    clusters[clusters.length - 1].push(item);
    until = Math.max(until, item[1][1]);
  }
  return clusters;
}

/** Apply `limitLabels` to a cluster until no run is left that is too short or weak. */
function settle(track, smoothed, cluster, rules) {
  const start = Math.min(...cluster.map((item) => item[1][0]));
  const stop = Math.max(...cluster.map((item) => item[1][1]));
  const columns = [...new Set(cluster.map((item) => item[0]))].sort((a, b) => a - b);
  const scores = columns.map((column) =>
    smoothed.get(column).slice(start, stop).map((value) => Math.max(value, 0)),
  );
  const onsets = columns.map((column) => single(onsetOf(rules, track.labels[column])));
  const active = columns.map(() => new Uint8Array(stop - start));
  for (const [column, [a, b]] of cluster) {
    active[columns.indexOf(column)].fill(1, a - start, b - start);
  }
  const cost = (rules.minCells * Math.max(rules.onset - rules.offset, 0.05)) / 2;
  for (;;) {
    const kept = limitLabels(scores, active, rules.maxLabels, cost);
    const runs = columns.flatMap((_, l) =>
      runsOf(stop - start, (i) => kept[l][i]).map((run) => [l, run]),
    );
    const poor = runs.filter(([l, [a, b]]) => {
      if (b - a < rules.minCellsOf[columns[l]]) return true;
      return scores[l].subarray(a, b).every((value) => value < onsets[l]);
    });
    if (!poor.length) return runs.map(([l, [a, b]]) => [columns[l], [a + start, b + start]]);
    for (const [l, [a, b]] of poor) active[l].fill(0, a, b);
  }
}

/** Make the segment of one run: times, clamped to the analysed part, and statistics. */
function describe(track, section, cells, column, run) {
  const inside = cells.subarray(run[0], run[1]);
  const values = track.columns[column];
  let peak = inside[0];
  for (const cell of inside) if (values[cell] > values[peak]) peak = cell;
  const edge = (cell) => track.start + cell * track.step;
  const start = Math.max(section[0], edge(inside[0]));
  const end = Math.min(section[1], edge(inside[inside.length - 1] + 1));
  return {
    start: micro(start),
    end: micro(end),
    label: track.labels[column],
    score: mean(values, inside),
    score_max: values[peak],
    peak: micro(Math.min(Math.max(edge(peak) + track.step / 2, start), end)),
    cells: inside,
  };
}

/** List the other labels with the highest mean scores in a segment, best first. */
function runnersUp(track, segment, count) {
  return track.labels
    .map((label, l) => ({ label, score: mean(track.columns[l], segment.cells) }))
    .filter((other) => other.label !== segment.label && other.score >= 0.005)
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

function mean(values, cells) {
  let sum = 0;
  for (const cell of cells) sum += values[cell];
  return sum / cells.length;
}

function micro(seconds) {
  return Math.round(seconds * 1e6) / 1e6;
}

/** Compare strings as Python does: by code point. JavaScript compares UTF-16 units, which differ
 * beyond the BMP. */
function byCodePoint(a, b) {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i].codePointAt(0) - right[i].codePointAt(0);
    if (difference) return difference;
  }
  return left.length - right.length;
}
