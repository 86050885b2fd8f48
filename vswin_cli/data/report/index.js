// Search and sort the table of videos.

const body = document.getElementById("videos");
const search = document.getElementById("search");
const found = document.getElementById("found");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of body.rows) {
    const text = row.dataset.text.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  found.textContent = words.length ? `${count} of ${body.rows.length}` : "";
}

function sortBy(header) {
  const column = header.cellIndex;
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const isNumber = header.dataset.sort === "number";
  const value = (row) => row.cells[column].dataset.value;
  const compare = (a, b) =>
    isNumber ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b));
  const rows = [...body.rows].sort((a, b) => direction * compare(a, b));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  body.append(...rows);
}

search.addEventListener("input", filter);
for (const header of document.querySelectorAll("th[data-sort]")) {
  header.querySelector("button").addEventListener("click", () => sortBy(header));
}
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== search) {
    event.preventDefault();
    search.focus();
  }
});
