// How a file separates its values, and which of its columns has the text: said in its first line, or found in the first ones.
import { records } from "./csv.js";

const SEPARATORS = [",", ";", "\t", "|"];
const SAMPLE = 200;  // lines
const SAID = /^"?sep=(.)"?[ \t]*(\r\n|\n|\r|$)/i;

/** `{separator, quoted, spaced, begin}`: the values, and where the first record begins. */
export function sniff(text, kind, needed) {
  const said = SAID.exec(text);
  const begin = said ? said[0].length : 0;
  const lines = text.slice(begin).split(/(?<=\n)/, SAMPLE), sample = lines.join("");
  const usual = said?.[1] ?? (kind === "tsv" ? "\t" : ",");
  const choices = (said ? [usual] : [usual, ...SEPARATORS]).map((separator, at) => dialect(separator, sample, at > 0 || kind !== "tsv" || separator !== "\t"));
  const cells = choices.map((choice) => whole([...records(sample, choice)], lines.length === SAMPLE).map((each) => each.cells ?? []));
  const named = choices.findIndex((_, at) => cells[at][0] && needed.length > 0 && needed.every((field) => cells[at][0].some((name) => name.trim() === field)));
  const even = choices.findIndex((_, at) => cells[at][0]?.length > 1 && cells[at].every((row) => row.length === cells[at][0].length));
  const at = named >= 0 ? named : Math.max(even, 0);
  return { ...choices[at], begin, said: said?.[0] ?? "", usual: choices[at].separator === usual, sample: cells[at] };
}

/** The records of a sample; without the last of one that is cut, which may have lost its end. */
function whole(found, cut) {
  const broken = found.findIndex((each) => !each.cells);
  return cut ? found.slice(0, broken > 0 ? broken : Math.max(found.length - 1, 1)) : found;
}

function dialect(separator, sample, quoted) {
  const others = sample.trimStart().split(/[\r\n]/, 1)[0].split(separator).slice(1);
  const spaced = separator !== "\t" && others.length > 0 && others.every((cell) => cell.startsWith(" "));
  return { separator, quoted, spaced };
}

/** `{names, places, given}`: of the columns, where the text is, and whether the first record has the names. */
export function header(sample, name, { fields, header: given }) {
  const first = sample[0] ?? [];
  const names = given ? first.map((each) => each.trim()) : first.map((_, at) => String(at + 1));
  const missing = fields.find((field) => !names.includes(field));
  const twice = fields.find((field) => names.indexOf(field) < names.lastIndexOf(field));
  if (twice) throw new Error(`${name}: several columns are called ${quoted(twice)}: give each its own name.`);
  if (!missing) return { names, places: fields.map((field) => names.indexOf(field)), given };
  const label = missing === "text" ? labelColumn(sample) : undefined;
  if (label !== undefined) return { names: ["1", "2"], places: [1 - label], given: false };
  if (!given && names.length === 1 && missing === "text") return { names, places: [0], given };
  const meant = names.find((each) => each.toLowerCase() === missing.toLowerCase());
  throw new Error(`${name} has no column ${quoted(missing)} among ${listed(names)}: ${meant ? `say ${quoted(meant)}` : "say the name of the text's column"}.`);
}

/** The one of two columns that has its first value again, and fewer values than the other. */
function labelColumn(sample) {
  if (sample.length === 0 || sample.some((row) => row.length !== 2)) return undefined;
  const [left, right] = [0, 1].map((at) => new Set(sample.map((row) => row[at])).size);
  if (left === right) return undefined;
  const at = left < right ? 0 : 1;
  return sample.slice(1).some((row) => row[at] === sample[0][at]) ? at : undefined;
}

/** A value of the file in a sentence. */
export const quoted = (value) => `'${value.length > 40 ? `${value.slice(0, 39)}…` : value}'`;

export const listed = (values) => values.slice(0, 8).map(quoted).join(", ") || "none";
