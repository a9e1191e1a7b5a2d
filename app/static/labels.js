// The table of labels with their scores. It sorts by any column and begins with the worst.
import { breakable, count, counted, element } from "./element.js";

const SHOWN_LABELS = 20;  // rows at first: sorting, or a button, shows the others
const COLUMNS = [["label", "Label"], ["precision", "Precision"], ["recall", "Recall"], ["f1", "F1"], ["documents", "Tested"]];

/** `rows` as in the model card. `documents` counts the test documents of a label. */
export function labelTable(rows) {
  let by = "f1", ascending = true, shown = SHOWN_LABELS;
  const untested = rows.filter(({ documents }) => documents === 0).length;
  const body = element("tbody");
  const headings = COLUMNS.map(([key, name]) => {
    const button = element("button", { type: "button", class: "sort" }, name);
    button.onclick = () => {
      [by, ascending] = [key, key === by ? !ascending : key !== "documents"];
      draw();
    };
    return element("th", { scope: "col", class: key !== "label" && "number" }, button);
  });
  const more = element("button", { type: "button" }, `Show all ${count(rows.length)} labels`);
  more.onclick = () => {
    shown = rows.length;
    draw();
  };

  function draw() {
    COLUMNS.forEach(([key], at) => headings[at].setAttribute("aria-sort", key !== by ? "none" : ascending ? "ascending" : "descending"));
    body.replaceChildren(...[...rows].sort((a, b) => compare(a, b, by, ascending)).slice(0, shown).map(row));
    more.hidden = shown >= rows.length;
  }

  draw();
  return element("section", {},
    element("h3", {}, counted(rows.length, "label")),
    element("p", { class: "hint" }, "Press a heading to sort by it.",
      untested > 0 && ` ${counted(untested, "label")} without test documents: –.`),
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Scores by label" },
      element("table", {}, element("thead", {}, element("tr", {}, headings)), body)),
    more);
}

const row = ({ label, precision, recall, f1, documents }) =>
  element("tr", {},
    element("th", { scope: "row", dir: "auto" }, breakable(label)),
    [precision, recall, f1].map((value) => element("td", { class: "number" }, documents ? value.toFixed(3) : "–")),
    element("td", { class: "number" }, count(documents)));

/** Labels without test documents have no scores: they come last. */
function compare(a, b, by, ascending) {
  const order = by === "label" ? a.label.localeCompare(b.label) : a[by] - b[by];
  const untested = by === "label" || by === "documents" ? 0 : (a.documents === 0) - (b.documents === 0);
  return untested || (ascending ? order : -order) || b.documents - a.documents || a.label.localeCompare(b.label);
}
