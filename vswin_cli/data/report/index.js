// The page of several videos: filter and sort its table, and read it again while it is being made.

const FIELDS = ["search", "label", "state", "score", "shortest", "longest", "order"];
const MORE_IS_FIRST = ["seconds", "segments", "best", "time"];
const TYPING_SECONDS = 8; // the page is not read again while somebody types

const view = { search: "", label: "", state: "", score: "", shortest: "", longest: "", order: "given", down: false };
const byName = new Intl.Collator(undefined, { numeric: true });
let showAllLabels = false;
let lastTyped = 0;

for (const [i, row] of content.rows.entries()) {
  row.given = i;
  const labels = (row.labels ?? []).map((one) => content.labels[one[0]]);
  row.text = [row.folder ?? "", row.name, ...labels, row.reason ?? ""].join(" ").toLowerCase();
}

/** Find what a row has of the chosen label, or of all. */
function figuresOf(row) {
  const chosen = view.label ? (row.labels ?? []).filter((one) => content.labels[one[0]] === view.label) : row.labels ?? [];
  return {
    best: chosen.reduce((most, one) => Math.max(most, one[3]), -1),
    time: chosen.reduce((sum, one) => sum + one[1], 0),
  };
}

function fits(row) {
  const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
  const minutes = (row.seconds ?? 0) / 60;
  const states = { trouble: ["partial", "failed"], open: ["running", "waiting"] }[view.state] ?? [view.state];
  return (
    words.every((word) => row.text.includes(word)) &&
    (!view.label || row.time > 0) &&
    (!view.state || states.includes(row.status)) &&
    (view.score === "" || row.best >= Number(view.score)) &&
    (view.shortest === "" || minutes >= Number(view.shortest)) &&
    (view.longest === "" || (row.seconds !== undefined && minutes <= Number(view.longest)))
  );
}

function compare(a, b) {
  if (view.order === "name") return byName.compare(a.name, b.name) || a.given - b.given;
  return (a[view.order] ?? -1) - (b[view.order] ?? -1) || a.given - b.given;
}

const isFiltered = () => FIELDS.some((name) => name !== "order" && view[name]);

function update() {
  for (const row of content.rows) Object.assign(row, figuresOf(row));
  const rows = content.rows.filter(fits).sort((a, b) => (view.down ? -1 : 1) * compare(a, b));
  byId("found").textContent = isFiltered() ? `${rows.length.toLocaleString("en")} of ${content.rows.length.toLocaleString("en")}` : "";
  byId("none").hidden = rows.length > 0;
  byId("clear").hidden = !isFiltered();
  drawStatus(rows, (state) => set("state", view.state === state ? "" : state));
  drawHours(rows, view.label, showAllLabels, (label) => set("label", label), () => {
    showAllLabels = !showAllLabels;
    update();
  });
  drawLengths(rows);
  drawHead();
  table.set(rows);
}

/** Show the view in the fields and the head of the table. */
function drawHead() {
  for (const name of FIELDS) if (document.activeElement !== byId(name)) byId(name).value = view[name];
  byId("turn").textContent = view.down ? "↓" : "↑";
  for (const head of document.querySelectorAll("th[data-order]")) {
    if (head.dataset.order === view.order) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function set(name, value) {
  view[name] = value;
  keepView();
  update();
}

function sortBy(order, turn = true) {
  view.down = view.order === order && turn ? !view.down : MORE_IS_FIRST.includes(order);
  set("order", order);
}

/** Keep the view in the address, so that it outlasts reading the page again and can be sent. */
function keepView() {
  const words = new URLSearchParams();
  for (const name of FIELDS) if (view[name] && view[name] !== "given") words.set(name, view[name]);
  if (view.down) words.set("down", "1");
  try {
    history.replaceState(null, "", `#${words}`);
  } catch {
    // some browsers refuse it for local files
  }
}

function readView() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const name of FIELDS) view[name] = words.get(name) ?? (name === "order" ? "given" : "");
  view.down = words.has("down");
}

function labelChips(row) {
  const sorted = [...(row.labels ?? [])].sort((a, b) => (content.labels[b[0]] === view.label) - (content.labels[a[0]] === view.label));
  const chips = sorted.slice(0, 4).map(([label, seconds]) => {
    const key = element("i", { class: "dot" });
    key.style.background = labelColour(content.labels[label]);
    return element("span", { class: "chip" }, key, `${content.labels[label]} `, element("small", {}, hoursText(seconds)));
  });
  if (sorted.length > 4) chips.push(element("small", {}, `and ${sorted.length - 4} more`));
  return chips;
}

/** Draw segments in a strip: a row per label, the last for all others. */
function strip(row) {
  const drawing = svg("svg", { viewBox: "0 0 1000 28", preserveAspectRatio: "none", "aria-hidden": "true" });
  const lines = Math.min(Math.max((row.labels ?? []).length, 1), 4);
  const height = 26 / lines;
  for (const [x, width] of row.gaps ?? []) drawing.append(svg("rect", { class: "lost", x, y: 0, width, height: 28 }));
  for (const [x, width, label] of row.marks ?? []) {
    const y = 1 + Math.min(label, lines - 1) * height;
    const name = content.labels[row.labels[label][0]];
    const place = { x, y, width: Math.max(width, 3), height: height - 1, fill: labelColour(name) };
    drawing.append(svg("rect", view.label && name !== view.label ? { ...place, opacity: 0.2 } : place));
  }
  return drawing;
}

function cover(row) {
  if (row.cover) return element("img", { src: row.cover, alt: "", loading: "lazy" });
  return element("span", { class: `blank ${row.status}` });
}

function rowOf(row) {
  const cell = (name, ...children) => element("td", { class: name }, ...children);
  const link = row.url ? element("a", { href: row.url }, row.name) : element("span", {}, row.name);
  const name = element("div", { class: "clip", title: [row.folder, row.name].filter(Boolean).join("/") }, link);
  if (row.folder) name.append(element("small", {}, row.folder));
  const decoded = row.coverage === undefined ? "" : `${(100 * row.coverage).toFixed(1)}%`;
  const state = row.status === "ok" ? "" : STATES[row.status];
  const labels = element("div", { class: "clip" }, ...labelChips(row));
  if (row.reason) {
    labels.title = row.reason;
    labels.prepend(element("span", { class: "bad" }, row.reason));
  }
  return element(
    "tr",
    { class: row.status },
    cell("cover", cover(row)),
    cell("video", name),
    cell("num", row.seconds === undefined ? "" : clock(row.seconds, false)),
    cell(row.status === "ok" ? "num" : "num bad", decoded, element("small", {}, state)),
    cell("num", row.segments === undefined ? "" : row.segments.toLocaleString("en")),
    cell("num", row.best >= 0 ? row.best.toFixed(2) : ""),
    cell("labels", labels),
    cell("strip", strip(row)),
  );
}

const table = createRows(byId("videos"), rowOf);

function drawFacts() {
  const seconds = content.rows.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
  const segments = content.rows.reduce((sum, row) => sum + (row.segments ?? 0), 0);
  const facts = [`${hoursText(seconds)} of video`, many(segments, "segment"), many(content.labels.length, "label")];
  byId("facts").replaceChildren(...facts.map((text) => element("span", {}, text)));
}

/** Say how far the work is, and read the page again when there may be news. */
function followProgress() {
  const now = content.progress;
  byId("progress").hidden = !now;
  if (!now) return;
  const share = now.inputs ? (now.done + now.failed) / now.inputs : 1;
  byId("progress-bar").value = share;
  const verb = now.what === "pages" ? "pages made" : "videos done";
  const isWaiting = now.what === "arrivals";
  const parts = [`${now.done.toLocaleString("en")} of ${now.inputs.toLocaleString("en")} ${verb}`];
  if (now.failed) parts.push(`${now.failed.toLocaleString("en")} failed`);
  if (now.running.length) parts.push(`${now.running.length} running`);
  if (now.rate) parts.push(`${now.rate.toFixed(now.rate < 10 ? 1 : 0)}× real time`);
  if (isWaiting) parts.push(`waiting for more since ${new Date(now.written).toLocaleTimeString()}`);
  if (now.left !== null) parts.push(`about ${clock(now.left, false)} left`);
  byId("progress-text").textContent = parts.join(" · ");
  byId("running").textContent = now.running.map(([name, at]) => `${name} at ${clock(at, false)}`).join(", ");
  document.title = `${Math.floor(100 * share)}% – ${document.title}`;
  const written = new Date(now.written);
  const isStale = !isWaiting && Date.now() - written > 1000 * (60 + 3 * now.refresh);
  byId("stale").hidden = !isStale;
  byId("stale").textContent = `Nothing new since ${written.toLocaleTimeString()}: the command may have ended. Run it again to continue.`;
  planReading(now.refresh + 1);
}

function planReading(seconds) {
  setTimeout(() => {
    const isIn = document.activeElement.matches("input, select");
    const isTyping = isIn && Date.now() - lastTyped < 1000 * TYPING_SECONDS;
    if (isTyping) planReading(2);
    else location.reload();
  }, 1000 * seconds);
}

function keepScroll() {
  const key = `scroll ${location.pathname}`;
  try {
    history.scrollRestoration = "manual";
    addEventListener("pagehide", () => sessionStorage.setItem(key, String(scrollY)));
    scrollTo(0, Number(sessionStorage.getItem(key) ?? 0));
    sessionStorage.removeItem(key);
  } catch {
    // no storage for local files: the page begins at its top
  }
}

function start() {
  const names = [...content.labels].sort((a, b) => a.localeCompare(b));
  byId("label").append(...names.map((name) => element("option", { value: name }, name)));
  for (const id of ["summary", "tools", "index"]) byId(id).hidden = false;
  byId("summary").open = innerWidth > 700;
  readView();
  for (const name of FIELDS) {
    byId(name).addEventListener("input", (event) => {
      lastTyped = Date.now();
      if (name === "order") sortBy(event.target.value, false);
      else set(name, event.target.value);
    });
  }
  byId("turn").addEventListener("click", () => {
    view.down = !view.down;
    set("order", view.order);
  });
  byId("clear").addEventListener("click", () => {
    for (const name of FIELDS) if (name !== "order") view[name] = "";
    set("search", "");
  });
  for (const head of document.querySelectorAll("th[data-order]")) {
    head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.order));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select")) {
      event.preventDefault();
      byId("search").focus();
    }
  });
  addEventListener("hashchange", () => {
    readView();
    update();
  });
  drawFacts();
  followProgress();
  update();
  keepScroll();
  document.body.dataset.ready = "yes";
}

start();
