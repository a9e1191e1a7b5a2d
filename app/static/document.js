// The tab of one document: from a text to its label, its scores and the attribution of each word.
import { retry, post } from "./api.js";
import { count, counted, element, find } from "./element.js";
import { headline, scores, weights } from "./answer.js";
import { shadedText } from "./shading.js";
import { readText } from "./table.js";
import { startAbout } from "./about.js";

const PAYLOAD_TOO_LARGE = 413;
const LIVE_COUNT_CHARACTERS = 20_000;  // up to this size characters are counted exactly at each keystroke
let currentRequest;

export function startDocument() {
  const text = find("text");
  startAbout((example) => {
    text.value = example;
    showSize(text);
    classify(example);
  });
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    classify(text.value);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
  });
  text.addEventListener("input", () => showSize(text));
}

/** Read a dropped file and classify its text. */
export async function openDocument(file) {
  const text = find("text");
  try {
    text.value = await readText(file);
  } catch (error) {
    return showStatus("", error.message);
  }
  text.scrollTop = 0;
  showSize(text);
  await classify(text.value);  // the text area normalises line ends, and places in the answer count them
}

async function classify(text) {
  currentRequest?.abort();
  const controller = (currentRequest = new AbortController());
  const wait = (seconds, why) => showStatus(`${why} Trying again in ${counted(seconds, "second")}.`);
  showStatus("Reading…");
  find("answer").hidden = true;
  try {
    const answer = await retry(() => predictExplained(text, controller.signal), controller.signal, wait);
    if (controller.signal.aborted) return;
    showAnswer(text, answer);
    showStatus(`Done: ${answer.label ?? "no label"}.`, "", true);
  } catch (error) {
    if (!controller.signal.aborted) showStatus("", error.message);
  }
}

/** The answer with its explanation, or without one if the text has too many words. */
async function predictExplained(text, signal) {
  try {
    return await post("predict", { text, explain: true }, signal);
  } catch (refusal) {
    if (refusal.status !== PAYLOAD_TOO_LARGE) throw refusal;
    return { ...(await post("predict", { text }, signal)), unexplained: refusal.message };
  }
}

function showAnswer(text, answer) {
  const place = find("answer");
  place.replaceChildren(
    element("div", { class: "said" }, headline(answer), scores(answer.scores)),
    element("div", { class: "why" }, answer.unexplained
      ? element("p", { class: "hint" }, `The label is of the complete text. Its words are not shaded: ${answer.unexplained}`)
      : shadedText(text, answer)),
    element("div", { class: "weights" }, answer.explanation && weights(answer)),
  );
  place.hidden = false;
  find("purpose").hidden = true;
}

function showStatus(status, alert = "", unseen = false) {
  find("document-status").textContent = status;
  find("document-status").classList.toggle("unseen", unseen);
  find("document-alert").textContent = alert;
}

function showSize(text) {
  const long = text.value.length > LIVE_COUNT_CHARACTERS;
  find("size").textContent = text.value && `${long ? "about " : ""}${count(long ? text.value.length : [...text.value].length)} characters`;
}
