// The tab of one document: a text in; its label, its scores and each word's share out.
import { patiently, post } from "./api.js";
import { count, counted, element, find } from "./element.js";
import { headline, scores, weights } from "./answer.js";
import { shadedText } from "./shading.js";
import { decoded } from "./table.js";
import { startAbout } from "./about.js";

const TOO_MUCH = 413;
const LIVE = 20_000;  // characters up to which the size is told at each stroke: more are counted only when they are sent
let asking;

export function startDocument() {
  const text = find("text");
  startAbout((example) => {
    text.value = example;
    tellSize(text);
    classify(example);
  });
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    classify(text.value);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
  });
  text.addEventListener("input", () => tellSize(text));
}

/** Read a file that was dropped, and classify what it says. */
export async function openDocument(file) {
  const text = find("text");
  try {
    text.value = await decoded(file);
  } catch (error) {
    return tell("", error.message);
  }
  text.scrollTop = 0;
  tellSize(text);
  await classify(text.value);  // with the line ends of the text area, which the answer's places count by
}

async function classify(text) {
  asking?.abort();
  const own = (asking = new AbortController());
  const wait = (seconds, why) => tell(`${why} Trying again in ${counted(seconds, "second")}.`);
  tell("Reading…");
  find("answer").hidden = true;
  try {
    const answer = await patiently(() => explained(text, own.signal), own.signal, wait);
    if (own.signal.aborted) return;
    show(text, answer);
    tell(`Done: ${answer.label ?? "no label"}.`, "", true);
  } catch (error) {
    if (!own.signal.aborted) tell("", error.message);
  }
}

/** The answer with its explanation, or without where the service finds the text too long for one. */
async function explained(text, signal) {
  try {
    return await post("predict", { text, explain: true }, signal);
  } catch (refusal) {
    if (refusal.status !== TOO_MUCH) throw refusal;
    return { ...(await post("predict", { text }, signal)), unexplained: refusal.message };
  }
}

function show(text, answer) {
  const place = find("answer");
  place.replaceChildren(
    element("div", { class: "said" }, headline(answer), scores(answer.scores)),
    element("div", { class: "why" }, answer.unexplained
      ? element("p", { class: "hint" }, `The label is of the whole text, its words are not shaded: ${answer.unexplained}`)
      : shadedText(text, answer)),
    element("div", { class: "weights" }, answer.explanation && weights(answer)),
  );
  place.hidden = false;
  find("purpose").hidden = true;
}

function tell(status, alert = "", unseen = false) {
  find("document-status").textContent = status;
  find("document-status").classList.toggle("unseen", unseen);
  find("document-alert").textContent = alert;
}

function tellSize(text) {
  const long = text.value.length > LIVE;
  find("size").textContent = text.value && `${long ? "about " : ""}${count(long ? text.value.length : [...text.value].length)} characters`;
}
