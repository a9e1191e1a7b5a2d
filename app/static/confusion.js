// The confusion matrix as a table, and the most frequent mistakes as sentences.
import { bar, breakable, count, element, userText } from "./element.js";

const DENSE_LABELS = 12;  // labels from which cells are small, so that twenty are seen at once

/** A row for each right label, a column for each predicted label. The shade of a cell is its share of the row. */
export function confusion({ per_label: labels, confusion: counts }) {
  const head = element("tr", {},
    element("td", { class: "corner" }, element("span", { "aria-hidden": "true" }, "right ↓  predicted →")),
    labels.map(({ label }) => element("th", { scope: "col" }, element("span", { dir: "auto" }, breakable(label)))));
  return element("section", {},
    element("h3", {}, "Confusion"),
    element("p", { class: "hint" }, "A row for each right label, a column for each predicted label. The shade is the share of the row."),
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
      element("table", { class: labels.length > DENSE_LABELS ? "confusion dense" : "confusion" },
        element("thead", {}, head),
        element("tbody", {}, counts.map((row, right) => matrixRow(labels[right].label, row, right))))));
}

function matrixRow(label, row, right) {
  const all = row.reduce((sum, number) => sum + number, 0);
  return element("tr", {}, element("th", { scope: "row", dir: "auto" }, breakable(label)), row.map((number, predicted) => {
    const cell = element("td", { class: number === 0 ? "none" : predicted === right ? "for" : "against" }, count(number));
    cell.style.setProperty("--share", all ? number / all : 0);
    return cell;
  }));
}

/** The most frequent mistakes, as sentences with bars. */
export function mistakes({ mistakes: rows, confusion: matrix, per_label: labels }) {
  const largest = rows[0].documents;
  return element("section", {},
    element("h3", {}, "Most frequent mistakes"),
    !matrix && element("p", { class: "hint" }, `A matrix of ${count(labels.length)} labels is too large to be read.`),
    element("ol", { class: "bars wide" }, rows.slice(0, matrix ? 8 : rows.length).map(({ right, said: predicted, documents }) =>
      element("li", {},
        element("span", { class: "name" }, userText(right), element("small", {}, " called "), userText(predicted)),
        bar(documents / largest, "against"),
        element("span", { class: "number" }, count(documents))))));
}
