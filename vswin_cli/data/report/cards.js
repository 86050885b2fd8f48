// The segments as cards: by time or in groups by label, some at a time.

const CARDS_AT_ONCE = 60;
let cardsAtOnce = CARDS_AT_ONCE;
let cardPage = 0;

/** List the indices of the model's segments that fit the filter, in the order of the cards. */
function cardOrder() {
  const indices = state.segments.map((_, i) => i).filter((i) => shown(state.segments[i].label));
  if (state.grouping !== "label") return indices;
  const rank = new Map(lanes().map((lane, i) => [lane.label, i]));
  const of = (i) => rank.get(state.segments[i].label) ?? rank.size;
  return indices.sort((a, b) => of(a) - of(b) || a - b);
}

/** List the cards of all models, one model after the other, as pairs of model and index. */
function allCards() {
  return ofEachModel((one) => cardOrder().map((index) => [one, index])).flat();
}

/** Turn to the page of cards that holds the selected segment. */
function showSelectedCard() {
  const place = allCards().findIndex(([one, index]) => one === model && index === state.selected);
  if (place >= 0) cardPage = Math.floor(place / cardsAtOnce);
}

function drawCards() {
  const order = allCards();
  const pages = Math.max(1, Math.ceil(order.length / cardsAtOnce));
  cardPage = Math.min(cardPage, pages - 1);
  const here = order.slice(cardPage * cardsAtOnce, (cardPage + 1) * cardsAtOnce);
  const nodes = [];
  let [label, above] = [null, null];
  for (const [owner, index] of here) {
    const one = owner.state.segments[index];
    const isNext = owner !== above;
    if (models.length > 1 && isNext) nodes.push(element("li", { class: "model" }, element("b", {}, owner.name)));
    if (state.grouping === "label" && (isNext || one.label !== label)) nodes.push(groupHead(one.label, owner));
    [label, above] = [one.label, owner];
    nodes.push(card(one, index, owner));
  }
  byId("rows").replaceChildren(...nodes);
  byId("no-rows").hidden = order.length > 0;
  byId("pages").hidden = pages === 1;
  byId("page-now").textContent = `${cardPage + 1} of ${pages}`;
  byId("page-back").disabled = cardPage === 0;
  byId("page-on").disabled = cardPage === pages - 1;
}

function groupHead(label, owner) {
  const own = owner.state.segments.filter((one) => one.label === label);
  const seconds = own.reduce((sum, one) => sum + one.end - one.start, 0);
  const node = element("li", { class: "group" }, labelDot(label), element("b", {}, label));
  node.append(element("small", {}, `${length(seconds)} in ${own.length}`));
  return node;
}

function labelDot(label) {
  const dot = element("i", { class: "dot" });
  dot.style.background = labelColour(label);
  return dot;
}

function card(one, index, owner) {
  const node = element("li", { class: "item", "data-index": index, "data-model": models.indexOf(owner), tabindex: 0 });
  node.style.setProperty("--label", labelColour(one.label));
  node.classList.toggle("selected", index === owner.state.selected);
  node.classList.toggle("wrong", one.review === "wrong");
  const image = imageOf(one);
  const shown = image ? [element("img", { src: image.url, alt: "", title: `at ${clock(image.seconds)}`, loading: "lazy" })] : [];
  const mark = { right: "✓", wrong: "✗", corrected: "✎", added: "+" }[one.review];
  const name = element("div", { class: "label" }, labelDot(one.label), element("b", {}, one.label));
  if (mark) name.append(element("span", { class: "mark", title: one.review }, mark));
  const times = element("span", { class: "times" }, `${clock(one.start)} – ${clock(one.end)}`);
  const numbers = element("div", { class: "numbers" }, times, element("span", {}, length(one.end - one.start)), element("span", { class: "score" }, one.score.toFixed(2)));
  node.append(...shown, element("div", { class: "words" }, name, numbers));
  return node;
}

function drawCount() {
  const many = `${state.segments.length} ${state.segments.length === 1 ? "segment" : "segments"}`;
  const origin = state.corrected ? "corrected by hand" : isAsSaved() ? "as saved" : "found here, with other thresholds";
  const whose = models.length > 1 ? ` of ${model.name}` : "";
  byId("count").textContent = `${many}${whose}, ${origin}${undecidedText()}`;
  const isShort = model.track?.num_left_out > 0 && state.options.onset < model.track.lowest_onset;
  byId("low-note").classList.toggle("bad", isShort && !isAsSaved());
}

/** Find the image of a segment: at its peak, else anywhere inside. */
function imageOf(one) {
  const best = imageNear(one.peak, 0.5);
  if (best) return best;
  const inside = imageNear(one.peak, Infinity);
  return inside && inside.seconds >= one.start && inside.seconds < one.end ? inside : null;
}

/** Find the thumbnail nearest to a time, at most `reach` seconds away. */
function imageNear(seconds, reach) {
  let best = null;
  for (const one of content.thumbnails) {
    if (!best || Math.abs(one.seconds - seconds) < Math.abs(best.seconds - seconds)) best = one;
  }
  return best && Math.abs(best.seconds - seconds) <= reach ? best : null;
}

function drawDetail() {
  const one = state.segments[state.selected];
  byId("detail").hidden = !one;
  if (!one) return;
  const image = imageOf(one);
  byId("detail-image").hidden = !image;
  if (image) byId("detail-image").src = image.url;
  drawEvidence(one, Boolean(image));
  byId("detail-label").textContent = one.label;
  byId("detail-time").textContent = `${clock(one.start)} – ${clock(one.end)} (${length(one.end - one.start)})`;
  byId("detail-score").textContent = `mean ${one.score.toFixed(2)}, best ${one.score_max.toFixed(2)} at ${clock(one.peak)}`;
  const alternatives = one.alternatives || (one.cells ? runnersUp(track, one, model.options.alternatives) : []);
  const others = alternatives.map((other) => `${other.label} ${other.score.toFixed(2)}`).join(", ");
  byId("detail-others").textContent = others ? `or: ${others}` : "";
  drawReview(one);
}

function wireCards() {
  const rows = byId("rows");
  rows.addEventListener("click", (event) => {
    const node = event.target.closest(".item");
    if (node) selectIn(node.dataset);
  });
  rows.addEventListener("keydown", (event) => {
    const node = event.target.closest(".item");
    if (node && event.key === "Enter") selectIn(node.dataset);
  });
  byId("grouping").addEventListener("change", (event) => {
    state.grouping = event.target.value;
    cardPage = 0;
    showSelectedCard();
    drawCards();
  });
  const turn = (step) => {
    cardPage += step;
    drawCards();
  };
  byId("page-back").addEventListener("click", () => turn(-1));
  byId("page-on").addEventListener("click", () => turn(1));
  const all = (count) => {
    cardsAtOnce = count;
    drawCards();
  };
  addEventListener("beforeprint", () => all(Infinity));
  addEventListener("afterprint", () => all(CARDS_AT_ONCE));
}
