"use strict";
// Tables sort: a heading orders its table's rows; a row's name in the comparison orders the columns.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, at) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("thead th")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (line) => line.cells[at].dataset.order;
      const lines = [...body.rows].sort((a, b) => order(key(a), key(b)));
      body.append(...(down ? lines.reverse() : lines));
    });
  });
}
// paper shows everything
addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
function order(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : a > b ? 1 : 0) : x - y;
}
const comparison = document.getElementById("comparison");
comparison.querySelectorAll("tbody button").forEach((button) => {
  button.addEventListener("click", () => {
    const better = Number(button.dataset.better);
    const cells = [...button.closest("tr").cells].slice(1);
    const value = (k) => cells[k].dataset.order === undefined ? -Infinity : better * Number(cells[k].dataset.order);
    const places = cells.map((_, k) => k).sort((a, b) => value(b) - value(a) || a - b);
    for (const other of comparison.querySelectorAll("tbody button")) other.removeAttribute("aria-pressed");
    for (const marked of comparison.querySelectorAll(".best")) marked.classList.remove("best");
    button.setAttribute("aria-pressed", "true");
    if (cells[places[0]].dataset.order !== undefined) cells[places[0]].classList.add("best");
    for (const line of comparison.rows) {
      const own = [...line.cells].slice(1);
      line.append(...places.map((k) => own[k]));
    }
  });
});
