// What the model is for, before a first document: its labels, examples to try, and the request in code.
import { get } from "./api.js";
import { breakable, count, counted, element, find, userText } from "./element.js";
import { header } from "./key.js";

const LABELS = 20, EXAMPLES = 3;

/** Show it without asking anybody for a key; `classify(text)` is called with an example. */
export async function startAbout(classify) {
  const answer = await fetch("model", { headers: header() }).catch(() => ({}));
  const keyed = answer.status === 401 || "authorization" in header();
  const card = answer.ok ? await answer.json() : undefined;
  show(card, keyed, classify);
}

function show(card, keyed, classify) {
  find("purpose").replaceChildren(...(card ? purpose(card, classify) : keyed ? [keyNeeded(classify)] : []));
  find("code").replaceChildren(...code(card?.examples[0]?.text ?? "A text of yours.", keyed));
}

function purpose({ labels, corpus, examples }, classify) {
  const from = corpus ? [", learned from ", counted(corpus.documents, "document"), " of ", userText(corpus.name)] : [];
  const rest = labels.length - LABELS;
  return [
    element("h2", {}, "What this model does"),
    element("p", {}, `It gives a text one of ${counted(labels.length, "label")}`, from, "."),
    element("ul", { class: "labels" },
      labels.slice(0, LABELS).map((label) => element("li", { dir: "auto" }, breakable(label))),
      rest > 0 && element("li", { class: "rest" }, element("a", { href: "#model" }, `and ${count(rest)} more`))),
    element("p", { class: "hint" }, "It answers with one of its labels, whatever text it is given: ",
      element("a", { href: "#model" }, "what to do about that"), "."),
    examples.length > 0 && element("div", { class: "row" }, element("span", {}, "Try"), examples.slice(0, EXAMPLES).map(({ text }) => {
      const button = element("button", { type: "button", class: "example", dir: "auto" }, text);
      button.onclick = () => classify(text);
      return button;
    })),
  ].filter(Boolean);
}

function keyNeeded(classify) {
  const button = element("button", { type: "button" }, "Enter a key");
  button.onclick = () => get("model").then((card) => show(card, true, classify), () => {});
  return element("p", {}, "This service asks for an API key before it shows its labels. ", button);
}

/** The same request with curl and with Python's standard library; the address is the one of this page. */
function code(text, keyed) {
  const address = new URL("predict", document.baseURI).href;
  const body = JSON.stringify({ text }).replaceAll("'", "'\\''");
  const curl = [`curl '${address}'`, "  -H 'Content-Type: application/json'", keyed && "  -H 'Authorization: Bearer YOUR_KEY'", `  -d '${body}'`];
  const python = [
    "import json, urllib.request", "",
    "request = urllib.request.Request(",
    `    ${JSON.stringify(address)},`,
    `    json.dumps({"text": ${JSON.stringify(text)}}).encode(),`,
    `    {"Content-Type": "application/json"${keyed ? ', "Authorization": "Bearer YOUR_KEY"' : ""}},`,
    ")",
    "print(json.load(urllib.request.urlopen(request)))",
  ];
  return [
    element("h2", {}, "Call it from code"),
    element("pre", { "data-language": "curl" }, curl.filter(Boolean).join(" \\\n")),
    element("pre", { "data-language": "python" }, python.join("\n")),
  ];
}
