// Reads JSON, an object a line or an array of objects, and writes the same objects with added fields. Numbers keep all digits.
import { listed, quoted } from "./dialect.js";

const STRING_PATTERN = '"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"';
const TEXT_PATHS = ["text", "data.text", "fields.text"];  // in exports of Label Studio and Argilla too
const ROW_FIELDS = ["rows", "data", "documents", "examples", "items", "records"];  // of one object that contains an array of rows

/** An object a row; an object without a text has an `error`. */
export class Json {
  constructor(text, name, kind, { fields }) {
    const advice = `write one object a line, with its text in the field ${quoted(fields[0])}`;
    Object.assign(this, { text, name, fields, advice, length: text.length, notes: [] });
    const first = text.trimStart()[0] === "[" || beginsMultilineObject(text);
    this.values = first ? valuesOf(text, name, advice) : byLine(text);
    if (kind === "json") this.#unwrap();
    this.array = this.text.trimStart()[0] === "[";
    this.head = this.array ? "[\n" : "";
    this.tail = this.array ? "\n]\n" : "";
    this.names = ["label", "score", "error"].map((own) => (new RegExp(`"${own}"\\s*:`).test(text) ? `docket_${own}` : own));
  }

  /** Each object as `{text | error, upTo, line}`; `line(answer)` is the object of the download. */
  *rows() {
    let before = "";
    for (const { raw, upTo } of this.values) {
      const begin = before;
      yield { ...this.#read(raw), upTo, line: (answer) => begin + this.#line(raw, answer) };
      before = this.array ? ",\n" : "";
    }
  }

  #read(raw) {
    let row;
    try {
      row = JSON.parse(raw);
    } catch {
      return { error: `is broken JSON: ${raw.endsWith("},") ? "take out the comma at its end" : this.advice}` };
    }
    if (!isObject(row)) return { error: `is JSON but no object: ${this.advice}` };
    const fields = String(this.fields) === "text" ? [TEXT_PATHS.find((each) => find(row, each) !== undefined) ?? "text"] : this.fields;
    const values = fields.map((field) => find(row, field));
    const missing = fields[values.indexOf(undefined)];
    if (missing !== undefined) return { error: `no field ${quoted(missing)} among ${listed(Object.keys(row))}` };
    const wrongType = fields[values.findIndex((value) => value !== null && typeof value === "object")];
    if (wrongType !== undefined) return { error: `${quoted(wrongType)} is no text but ${Array.isArray(find(row, wrongType)) ? "a list" : "an object"}: make it one text` };
    const repeated = fields.find((field) => raw.split(`"${field}"`).length > 2 && [...members(raw)].filter(({ key }) => key === field).length > 1);
    if (repeated !== undefined) return { error: `${quoted(repeated)} is there twice: keep one` };
    const texts = values.map((value, at) => (typeof value === "number" ? rawValue(raw, fields[at]) ?? value : value)).filter((value) => value !== null);
    return texts.length > 0 ? { text: texts.join("\n") } : { error: `there is no ${listed(fields)}: fill it in` };
  }

  #line(raw, { label = null, score, error }) {
    const [nameOfLabel, nameOfScore, nameOfError] = this.names;
    const added = error === undefined ? { [nameOfLabel]: label, [nameOfScore]: score } : { [nameOfError]: error };
    const inner = JSON.stringify(added).slice(1);
    const object = parsed(raw);
    const open = isObject(object) ? onOneLine(raw).slice(0, -1).trimEnd() : `{"line":${JSON.stringify(raw)}`;
    return `${open}${open === "{" ? "" : ","}${inner}${this.array ? "" : "\n"}`;
  }

  /** Extract the rows from the only object of the file. */
  #unwrap() {
    const all = this.text.trim(), object = parsed(all);
    if (!isObject(object) || this.fields[0] in object) return;
    const arrays = [...members(all)].filter(({ key }) => Array.isArray(object[key]) && isObject(object[key][0]));
    const chosen = ROW_FIELDS.map((each) => arrays.find(({ key }) => key === each)).find(Boolean) ?? (arrays.length === 1 ? arrays[0] : undefined);
    if (!chosen) return;
    this.notes.push(`The rows are those of the field ${quoted(chosen.key)}.`);
    this.text = all.slice(chosen.begin, chosen.end);
    this.length = this.text.length;
    this.values = valuesOf(this.text, this.name, this.advice);
  }
}

/** Whether an object begins in the first line and continues in the next. */
function beginsMultilineObject(text) {
  const begin = skipSpace(text, 0), line = text.indexOf("\n", begin);
  return text[begin] === "{" && line >= 0 && (valueEnd(text, begin) ?? 0) > line;
}

function* byLine(text) {
  for (let begin = 0, end; begin < text.length; begin = end + 1) {
    const found = text.indexOf("\n", begin);
    end = found < 0 ? text.length : found;
    const raw = text.slice(begin, end).trim();
    if (raw) yield { raw, upTo: end + 1 };
  }
}

/** The values of an array, or of a sequence. */
function* valuesOf(text, name, advice) {
  let at = skipSpace(text, 0);
  const broken = (place, reason, mend = advice) => new Error(`${name}, line ${text.slice(0, place).split("\n").length}: is broken JSON${reason}: ${mend}`);
  const array = text[at] === "[";
  for (at = skipSpace(text, at + (array ? 1 : 0)); array ? text[at] !== "]" : at < text.length;) {
    const end = valueEnd(text, at);
    const after = end && skipSpace(text, end);
    if (!end || parsed(text.slice(at, end)) === undefined || (array && ![",", "]"].includes(text[after]))) {
      throw broken(at, "");
    }
    yield { raw: text.slice(at, end), upTo: end };
    at = array && text[after] === "," ? skipSpace(text, after + 1) : after;
    if (at > after && text[at] === "]") throw broken(at, " (a comma stands before the array's end)", "take it out");
  }
  const next = skipSpace(text, at + 1);
  if (array && next < text.length) throw broken(next, " (something follows the array)");
}

/** The members of an object as `{key, begin, end}` of their values. */
function* members(raw) {
  for (let at = skipSpace(raw, raw.indexOf("{") + 1); raw[at] === '"';) {
    const named = valueEnd(raw, at);
    const begin = skipSpace(raw, skipSpace(raw, named) + 1), end = valueEnd(raw, begin);
    yield { key: JSON.parse(raw.slice(at, named)), begin, end };
    at = skipSpace(raw, end);
    if (raw[at] === ",") at = skipSpace(raw, at + 1);
  }
}

/** A number as it is written in the file, with all digits. */
function rawValue(raw, field) {
  const found = [...members(raw)].find(({ key }) => key === field);
  return found && raw.slice(found.begin, found.end);
}

/** The end of the value that begins at `at`; undefined if its brackets are not closed. */
function valueEnd(text, at) {
  if (text[at] !== "{" && text[at] !== "[") {
    const scalar = new RegExp(`${STRING_PATTERN}|[^\\s,\\]}]+`, "y");
    scalar.lastIndex = at;
    return scalar.test(text) ? scalar.lastIndex : undefined;
  }
  const token = new RegExp(`${STRING_PATTERN}|[{}[\\]]`, "g");
  token.lastIndex = at;
  for (let depth = 0, found; (found = token.exec(text)?.[0]);) {
    if (found === "{" || found === "[") depth++;
    else if ((found === "}" || found === "]") && --depth === 0) return token.lastIndex;
  }
  return undefined;
}

/** The first place from `at` on without white space. */
function skipSpace(text, at) {
  const space = /[ \t\r\n]*/y;
  space.lastIndex = at;
  space.test(text);
  return space.lastIndex;
}

/** The value of a field, or of a path such as `data.text`. */
function find(row, field) {
  if (Object.hasOwn(row, field)) return row[field];
  const [first, ...rest] = field.split(".");
  const inner = Object.hasOwn(row, first) ? row[first] : undefined;
  return rest.length > 0 && inner !== null && typeof inner === "object" ? find(inner, rest.join(".")) : undefined;
}

const onOneLine = (raw) => (raw.includes("\n") ? raw.replace(new RegExp(`(${STRING_PATTERN})|\\s+`, "g"), "$1") : raw);

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function parsed(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
