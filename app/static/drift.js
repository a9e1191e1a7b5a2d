// How live documents differ from those of training: the same limits from which the service's alerts fire.
import { count, counted, element, percent, userText } from "./element.js";

const ENOUGH = 400;  // documents: before that a few odd ones decide it
const LABELS = 12;

/** A row for each thing that is watched, as it was in training and as it is now. */
export function drift(card) {
  const { trained_on: before, live } = card;
  const title = element("h3", {}, "Drift");
  if (!before) return element("section", {}, title, element("p", {}, "This artifact keeps no profile of its training documents."));
  const rows = [
    row("Unknown words", before.unknown_rate, live.unknown_rate, live.unknown_rate > 2 * before.unknown_rate),
    row("Mean score", before.mean_confidence, live.mean_confidence, live.mean_confidence < before.mean_confidence - 0.05),
  ];
  const labels = Object.keys(before.labels).sort((one, other) => before.labels[other] - before.labels[one]).slice(0, LABELS);
  const shares = labels.map((label) => row(["Share of ", userText(label)], before.labels[label], live.documents ? live.labels[label] ?? 0 : null));
  return element("section", {},
    title,
    element("p", { class: "hint" }, said(live, rows)),
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Drift" },
      element("table", {},
        element("thead", {}, element("tr", {},
          ["", "In training", "Live", ""].map((name) => name ? element("th", { scope: "col", class: "number" }, name) : element("td")))),
        element("tbody", {}, [...rows, ...shares].map((each) => shown(each, live.documents >= ENOUGH))))),
    card.labels.length > LABELS && element("p", { class: "hint" },
      `The ${LABELS} most frequent of ${count(card.labels.length)} labels; `, element("a", { href: "model" }, "all of them"), " as JSON."));
}

const row = (name, then, now, odd = false) => ({ name, then, now, odd });

function shown({ name, then, now, odd }, enough) {
  return element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", { class: "number" }, percent(then)),
    element("td", { class: "number" }, now === null ? "–" : percent(now)),
    element("td", {}, odd && enough && element("span", { class: "wrong" }, "look at this")));
}

function said({ documents }, rows) {
  if (documents === 0) return "No document was answered since this service started.";
  const seen = `${counted(documents, "document")} since this service started`;
  if (documents < ENOUGH) return `${seen}: too few to tell, ${count(ENOUGH)} are enough.`;
  return rows.some(({ odd }) => odd) ? `${seen}: they are not what the network learned from.` : `${seen}: like those of training.`;
}
