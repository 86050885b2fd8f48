// Where in the frame a segment's score comes from: an overlay on its image.

const LEAST_SPAN = 2; // logits; where cells differ by less, the overlay stays faint
const MOST_OPACITY = 0.65;

/** Find the evidence of a segment: its own, or that of a saved one of the label with the same peak. */
function evidenceOf(one) {
  if (one.evidence) return one.evidence;
  const same = (other) => other.label === one.label && Math.abs(other.peak - one.peak) < 0.05;
  return model.segments.find((other) => other.evidence && same(other))?.evidence ?? null;
}

function range(cells) {
  const all = cells.flat();
  return [Math.min(...all), Math.max(...all)];
}

/** Draw the cells and the box in a unit square that covers the image. */
function evidenceOverlay({ cells, area, box }) {
  const [low, high] = range(cells);
  const [width, height] = [area.width / cells[0].length, area.height / cells.length];
  const shades = cells.flatMap((row, i) =>
    row.map((value, j) => {
      const opacity = (MOST_OPACITY * (value - low)) / Math.max(high - low, LEAST_SPAN);
      const place = { x: area.x + j * width, y: area.y + i * height, width, height };
      return svg("rect", { class: "cell", ...place, "fill-opacity": opacity.toFixed(3) });
    }),
  );
  const outlines = ["casing", "box"].map((name) => svg("rect", { class: name, ...box }));
  return [...shades, ...outlines];
}

/** Show or hide the overlay of the selected segment with its legend. */
function drawEvidence(one, hasImage) {
  const found = hasImage ? evidenceOf(one) : null;
  const isOn = Boolean(found) && byId("show-evidence").checked;
  byId("evidence-choice").hidden = !found;
  byId("evidence-legend").hidden = !isOn;
  byId("evidence").toggleAttribute("hidden", !isOn); // SVG has no property for it
  byId("detail").classList.toggle("large", isOn);
  byId("evidence").replaceChildren(...(isOn ? evidenceOverlay(found) : []));
  if (!isOn) return;
  const [low, high] = range(found.cells);
  byId("evidence-low").textContent = low.toFixed(1);
  byId("evidence-high").textContent = high.toFixed(1);
}
