// The purpose of the model, before the first document: its labels, examples to try, and the request in code.
import { get } from "./api.js";
import { breakable, count, counted, element, find, userText } from "./element.js";
import { keyHeader } from "./key.js";

const SHOWN_LABELS = 20, SHOWN_EXAMPLES = 3;

/** Show the purpose without a request for a key. `classify(text)` is called with an example. */
export async function startAbout(classify) {
  const response = await fetch("model", { headers: keyHeader() }).catch(() => ({}));
  const needsKey = response.status === 401 || "authorization" in keyHeader();
  const card = response.ok ? await response.json() : undefined;
  render(card, needsKey, classify);
}

function render(card, needsKey, classify) {
  find("purpose").replaceChildren(...(card ? purpose(card, classify) : needsKey ? [keyNeeded(classify)] : []));
  find("code").replaceChildren(...code(card?.examples[0]?.text ?? "Your text.", needsKey));
}

function purpose({ labels, corpus, examples }, classify) {
  const origin = corpus ? [", learned from ", counted(corpus.documents, "document"), " of ", userText(corpus.name)] : [];
  const hiddenLabels = labels.length - SHOWN_LABELS;
  return [
    element("h2", {}, "What this model does"),
    element("p", {}, `It gives a text one of ${counted(labels.length, "label")}`, origin, "."),
    element("ul", { class: "labels" },
      labels.slice(0, SHOWN_LABELS).map((label) => element("li", { dir: "auto" }, breakable(label))),
      hiddenLabels > 0 && element("li", { class: "rest" }, element("a", { href: "#model" }, `and ${count(hiddenLabels)} more`))),
    element("p", { class: "hint" }, "It answers with one of its labels for any text: ",
      element("a", { href: "#model" }, "what to do about that"), "."),
    examples.length > 0 && element("div", { class: "row" }, element("span", {}, "Try"), examples.slice(0, SHOWN_EXAMPLES).map(({ text }) => {
      const button = element("button", { type: "button", class: "example", dir: "auto" }, text);
      button.onclick = () => classify(text);
      return button;
    })),
  ].filter(Boolean);
}

function keyNeeded(classify) {
  const button = element("button", { type: "button" }, "Enter a key");
  button.onclick = () => get("model").then((card) => render(card, true, classify), () => {});
  return element("p", {}, "This service needs an API key before it shows its labels. ", button);
}

/** The request for curl and for Python's standard library, with the address of this page. */
function code(text, needsKey) {
  const address = new URL("predict", document.baseURI).href;
  const body = JSON.stringify({ text }).replaceAll("'", "'\\''");
  const curl = [`curl '${address}'`, "  -H 'Content-Type: application/json'", needsKey && "  -H 'Authorization: Bearer YOUR_KEY'", `  -d '${body}'`];
  const python = [
    "import json, urllib.request", "",
    "request = urllib.request.Request(",
    `    ${JSON.stringify(address)},`,
    `    json.dumps({"text": ${JSON.stringify(text)}}).encode(),`,
    `    {"Content-Type": "application/json"${needsKey ? ', "Authorization": "Bearer YOUR_KEY"' : ""}},`,
    ")",
    "print(json.load(urllib.request.urlopen(request)))",
  ];
  return [
    element("h2", {}, "Call it from code"),
    element("pre", { "data-language": "curl" }, curl.filter(Boolean).join(" \\\n")),
    element("pre", { "data-language": "python" }, python.join("\n")),
  ];
}
