// JSONL in, and the same lines out with fields added. A line's own characters stay: numbers keep all of their digits.

/** A line an object with a `text`; a line that is none has an `error`. */
export class Jsonl {
  constructor(text) {
    this.text = text.replace(/^\ufeff/, "");
    this.head = "";
    this.length = this.text.length;
    this.names = ["label", "score", "error"].map((own) => (new RegExp(`"${own}"\\s*:`).test(text) ? `docket_${own}` : own));
  }

  /** Each line as `{text | error, upTo, line}`; `line(answer)` is the line as it is written back. */
  *rows() {
    for (let begin = 0, end; begin < this.text.length; begin = end + 1) {
      const found = this.text.indexOf("\n", begin);
      end = found < 0 ? this.text.length : found;
      const raw = this.text.slice(begin, end).trim();
      if (raw) yield { ...read(raw), upTo: end + 1, line: (answer) => this.#line(raw, answer) };
    }
  }

  #line(raw, { label = null, score, error }) {
    const [nameOfLabel, nameOfScore, nameOfError] = this.names;
    const added = error === undefined ? { [nameOfLabel]: label, [nameOfScore]: score } : { [nameOfError]: error };
    const inner = JSON.stringify(added).slice(1);
    const open = isObject(raw) ? raw.slice(0, -1).trimEnd() : `{"line":${JSON.stringify(raw)}`;
    return `${open}${open === "{" ? "" : ","}${inner}\n`;
  }
}

function read(raw) {
  try {
    const row = JSON.parse(raw);
    if (typeof row?.text === "string") return { text: row.text };
    return { error: isObject(raw) ? "the line has no field text that is a string" : "the line is no JSON object" };
  } catch {
    return { error: "the line is no JSON" };
  }
}

/** Whether a line is a whole object, to which fields can be added. */
function isObject(raw) {
  if (!raw.startsWith("{")) return false;
  try {
    return Boolean(JSON.parse(raw));
  } catch {
    return false;
  }
}
