// The tab of the model: the served version, its corpus, its scores, and the drift of live documents.
import { get } from "./api.js";
import { breakable, count, counted, element, find, percent, userText } from "./element.js";
import { confusion, mistakes } from "./confusion.js";
import { drift } from "./drift.js";
import { labelTable } from "./labels.js";

let currentLoad;

export function startModel() {
  find("model").addEventListener("shown", load);
}

async function load() {
  currentLoad?.abort();
  const controller = (currentLoad = new AbortController());
  find("model-alert").textContent = "";
  find("model-status").textContent = "Reading…";
  try {
    const card = await get("model", controller.signal);
    find("card").replaceChildren(...sections(card));
  } catch (error) {
    if (!controller.signal.aborted) find("model-alert").textContent = error.message;
  }
  if (currentLoad === controller) find("model-status").textContent = "";
}

function sections(card) {
  const { scores, labels } = card;
  return [
    element("div", { class: "headline" },
      element("h2", {}, "Version ", element("code", {}, card.version)),
      element("p", { class: "hint" }, origin(card))),
    scores ? tiles(scores) : element("p", {}, "This artifact contains no scores: docket evaluate measures them."),
    scores ? labelTable(scores.per_label) : plainLabels(labels),
    scores && element("div", { class: "pair" },
      scores.confusion && confusion(scores), scores.mistakes.length > 0 && mistakes(scores)),
    abstention(scores?.abstention),
    drift(card),
    facts(card),
  ].filter(Boolean);
}

function origin({ corpus, labels }) {
  const many = counted(labels.length, "label");
  return corpus ? [`${many}, learned from ${counted(corpus.documents, "document")} of `, userText(corpus.name)] : many;
}

const tiles = ({ documents, accuracy, macro_f1: f1, ece, ece_by_chance: chance }) =>
  element("section", { "aria-label": "Scores on held-out documents" },
    element("h3", {}, `On ${counted(documents, "document")} that it never saw`),
    element("dl", { class: "tiles" },
      tile("Accuracy", percent(accuracy), `${count(Math.round(accuracy * documents))} right`),
      tile("Macro-F1", f1.toFixed(3), "each label counts the same"),
      tile("Calibration error", percent(ece), `${percent(chance)} by chance alone`)));

const tile = (name, value, hint) => element("div", {}, element("dt", {}, name), element("dd", {}, value), element("dd", { class: "hint" }, hint));

const plainLabels = (labels) =>
  element("section", {}, element("h3", {}, "Labels"), element("ul", { class: "labels" }, labels.map((label) => element("li", { dir: "auto" }, breakable(label)))));

/** The effect of `abstain_below` on unseen documents. */
function abstention(rows) {
  const row = ({ abstain_below: below, answered, accuracy }) =>
    element("tr", {},
      element("th", { scope: "row" }, String(below)),
      [answered, accuracy].map((share) => element("td", { class: "number" }, share === null ? "–" : percent(share))));
  return element("section", {},
    element("h3", {}, "Texts that belong to no label"),
    element("p", {}, "The network answers with one of its labels for any text. With ", element("code", {}, "abstain_below"),
      " it gives no label if the score is lower."),
    rows ? element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Abstention" },
      element("table", { class: "abstention" },
        element("thead", {}, element("tr", {}, ["abstain_below", "Documents with a label", "Accuracy of these"].map((name, at) =>
          element("th", { scope: "col", class: at && "number" }, name)))),
        element("tbody", {}, rows.map(row))))
      : element("p", { class: "hint" }, "This artifact contains no such table: docket evaluate has it."),
    element("p", { class: "hint" }, "With ", element("code", {}, "coverage"), ", an empty ", element("code", {}, "label_set"),
      " means that no label fits well enough."));
}

function facts({ version, recipe, corpus, packages }) {
  const rows = [
    ["Version", version], ["Recipe", recipe], ["Corpus", corpus?.name], ["Fingerprint of the corpus", corpus?.fingerprint],
    ["Made with", Object.entries(packages).map((each) => each.join(" ")).join(", ")],
  ];
  return element("section", {},
    element("h3", {}, "Where it comes from"),
    element("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", { dir: "auto" }, value)))));
}
