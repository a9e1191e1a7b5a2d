// The drift of live documents from those of training, with the limits of the service's alerts.
import { count, counted, element, percent, userText } from "./element.js";

const MIN_DOCUMENTS = 400;  // documents: with fewer documents a few unusual ones decide
const SHOWN_LABELS = 12;

/** A row for each measure: its value in training and its live value. */
export function drift(card) {
  const { trained_on: profile, live } = card;
  const title = element("h3", {}, "Drift");
  if (!profile) return element("section", {}, title, element("p", {}, "This artifact contains no profile of its training documents."));
  const rows = [
    row("Unknown words", profile.unknown_rate, live.unknown_rate, live.unknown_rate > 2 * profile.unknown_rate),
    row("Mean score", profile.mean_confidence, live.mean_confidence, live.mean_confidence < profile.mean_confidence - 0.05),
  ];
  const labels = Object.keys(profile.labels).sort((a, b) => profile.labels[b] - profile.labels[a]).slice(0, SHOWN_LABELS);
  const shares = labels.map((label) => row(["Share of ", userText(label)], profile.labels[label], live.documents ? live.labels[label] ?? 0 : null));
  return element("section", {},
    title,
    element("p", { class: "hint" }, summary(live, rows)),
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Drift" },
      element("table", {},
        element("thead", {}, element("tr", {},
          ["", "In training", "Live", ""].map((name) => name ? element("th", { scope: "col", class: "number" }, name) : element("td")))),
        element("tbody", {}, [...rows, ...shares].map((entry) => renderRow(entry, live.documents >= MIN_DOCUMENTS))))),
    card.labels.length > SHOWN_LABELS && element("p", { class: "hint" },
      `The ${SHOWN_LABELS} most frequent of ${count(card.labels.length)} labels; `, element("a", { href: "model" }, "all of them"), " as JSON."));
}

const row = (name, trainingValue, liveValue, drifted = false) => ({ name, trainingValue, liveValue, drifted });

function renderRow({ name, trainingValue, liveValue, drifted }, enoughDocuments) {
  return element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", { class: "number" }, percent(trainingValue)),
    element("td", { class: "number" }, liveValue === null ? "–" : percent(liveValue)),
    element("td", {}, drifted && enoughDocuments && element("span", { class: "wrong" }, "look at this")));
}

function summary({ documents }, rows) {
  if (documents === 0) return "No document was answered since this service started.";
  const seen = `${counted(documents, "document")} since this service started`;
  if (documents < MIN_DOCUMENTS) return `${seen}: too few to tell, ${count(MIN_DOCUMENTS)} are enough.`;
  return rows.some(({ drifted }) => drifted) ? `${seen}: they are not what the network learned from.` : `${seen}: like those of training.`;
}
