// What all shown videos have together: status, hours per label, lengths.

const STATES = {
  ok: "complete",
  partial: "partial",
  failed: "failed",
  running: "running",
  waiting: "not yet done",
};
const SHOWN_LABELS = 8;
const LENGTH_STEPS = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200]; // seconds

const hoursText = (seconds) => (seconds < 3600 ? length(seconds) : `${(seconds / 3600).toFixed(1)} h`);
const many = (count, thing) => `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;

function bar(share, colour) {
  const fill = element("i");
  fill.style.width = `${(100 * share).toFixed(2)}%`;
  fill.hidden = share === 0;
  if (colour) fill.style.background = colour;
  return element("span", { class: "bar" }, fill);
}

/** Draw one bar of all statuses, and a button for each. */
function drawStatus(rows, onChoose) {
  const counts = Object.keys(STATES).map((name) => [name, rows.filter((row) => row.status === name).length]);
  const stack = element("div", { class: "stack", "aria-hidden": "true" });
  const list = element("ul", { class: "plain" });
  for (const [name, count] of counts.filter((pair) => pair[1])) {
    const part = element("i", { class: name });
    part.style.flexGrow = count;
    stack.append(part);
    const key = element("span", { class: `key ${name}` });
    const button = element("button", { type: "button", class: "quiet" }, key, STATES[name]);
    button.addEventListener("click", () => onChoose(name === "running" || name === "waiting" ? "open" : name));
    list.append(element("li", {}, button, element("span", { class: "num" }, count.toLocaleString("en"))));
  }
  const known = rows.filter((row) => row.seconds);
  const total = known.reduce((sum, row) => sum + row.seconds, 0);
  const decoded = known.reduce((sum, row) => sum + row.seconds * row.coverage, 0);
  const note = total ? `${((100 * decoded) / total).toFixed(1)}% of ${hoursText(total)} decoded` : "";
  byId("status").replaceChildren(stack, list, element("p", { class: "small" }, note));
}

/** Sum up every label over the rows: [label index, seconds, segments, videos], longest first. */
function labelTotals(rows) {
  const totals = new Map();
  for (const row of rows) {
    for (const [label, seconds, segments] of row.labels ?? []) {
      const one = totals.get(label) ?? [label, 0, 0, 0];
      totals.set(label, [label, one[1] + seconds, one[2] + segments, one[3] + 1]);
    }
  }
  return [...totals.values()].sort((a, b) => b[1] - a[1]);
}

function drawHours(rows, chosen, showAll, onChoose, onMore) {
  const totals = labelTotals(rows);
  const longest = Math.max(...totals.map((one) => one[1]), 1e-9);
  const list = element("ul", { class: "plain hours" });
  for (const [label, seconds, segments, videos] of totals.slice(0, showAll ? totals.length : SHOWN_LABELS)) {
    const name = content.labels[label];
    const key = element("span", { class: "key" });
    key.style.background = labelColour(name);
    const button = element("button", { type: "button", class: "quiet", title: name, "aria-pressed": name === chosen });
    button.append(key, element("span", {}, name));
    button.addEventListener("click", () => onChoose(name === chosen ? "" : name));
    const numbers = element("span", { class: "num" }, hoursText(seconds));
    const where = element("span", { class: "num small" }, `${many(segments, "segment")}, ${many(videos, "video")}`);
    list.append(element("li", {}, button, bar(seconds / longest, labelColour(name)), numbers, where));
  }
  const more = element("button", { type: "button", class: "quiet more" });
  more.append(showAll ? "fewer" : `${totals.length - SHOWN_LABELS} more`);
  more.addEventListener("click", onMore);
  byId("hours").replaceChildren(list, ...(totals.length > SHOWN_LABELS ? [more] : []));
  if (!totals.length) byId("hours").replaceChildren(element("p", { class: "small" }, "no segments yet"));
}

/** Count videos by length, in steps that people think in. */
function drawLengths(rows) {
  const known = rows.filter((row) => row.seconds);
  const edges = [0, ...LENGTH_STEPS, Infinity];
  const bins = edges.slice(1).map((edge, i) => [edges[i], edge, 0]);
  for (const row of known) bins[edges.findIndex((edge) => row.seconds < edge) - 1][2] += 1;
  const used = bins.map((bin, i) => (bin[2] ? i : -1)).filter((i) => i >= 0);
  const shown = bins.slice(used[0] ?? 0, (used.at(-1) ?? -1) + 1);
  const most = Math.max(...shown.map((bin) => bin[2]), 1);
  const text = (seconds) => (seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`);
  const list = element("ul", { class: "plain lengths" });
  for (const [from, to, count] of shown) {
    const name = to === Infinity ? `from ${text(from)}` : `under ${text(to)}`;
    list.append(element("li", {}, element("span", {}, name), bar(count / most), element("span", { class: "num" }, count.toLocaleString("en"))));
  }
  byId("lengths").replaceChildren(list);
}
