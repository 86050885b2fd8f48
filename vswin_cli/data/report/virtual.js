// Rows of a long table: only those in view are in the document.

const EXTRA_ROWS = 8; // above and below the view, so that scrolling shows no holes

/**
 * Show items as rows of equal height in a table body.
 *
 * render(item, index) makes a row. The height is the style's `--row`.
 */
function createRows(body, render) {
  let items = [];
  let drawn = "";
  const spacers = [0, 1].map(() => element("tr", { class: "spacer", "aria-hidden": "true" }, element("td")));

  function draw({ everything = false, force = false } = {}) {
    const height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
    const above = -body.getBoundingClientRect().top;
    const first = everything ? 0 : Math.max(0, Math.floor(above / height) - EXTRA_ROWS);
    const count = Math.ceil(innerHeight / height) + 2 * EXTRA_ROWS;
    const start = Math.min(first, Math.max(0, items.length - count));
    const stop = everything ? items.length : Math.min(items.length, start + count);
    const key = `${start}-${stop}-${height}`;
    if (key === drawn && !force) return;
    drawn = key;
    const [before, after] = spacers;
    before.firstChild.style.height = `${start * height}px`;
    after.firstChild.style.height = `${(items.length - stop) * height}px`;
    before.hidden = start === 0;
    after.hidden = stop === items.length;
    const rows = items.slice(start, stop).map((item, i) => {
      const row = render(item);
      row.setAttribute("aria-rowindex", start + i + 2); // the head is the first
      return row;
    });
    body.replaceChildren(before, ...rows, after);
  }

  let pending = 0;
  const soon = () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => draw());
  };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  addEventListener("beforeprint", () => draw({ everything: true }));
  addEventListener("afterprint", () => draw());
  return {
    set(found) {
      items = found;
      body.parentElement.setAttribute("aria-rowcount", items.length + 1);
      draw({ force: true });
    },
  };
}
