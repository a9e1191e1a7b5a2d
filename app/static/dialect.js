// Detects how a file separates its values, and which column has the text, from its first lines.
import { records } from "./csv.js";

const SEPARATORS = [",", ";", "\t", "|"];
const SAMPLE_LINES = 200;  // lines
const SEPARATOR_PATTERN = /^"?sep=(.)"?[ \t]*(\r\n|\n|\r|$)/i;

/** `{separator, quoted, spaced, begin}`: how values are written, and where the first record begins. */
export function detectDialect(text, kind, fields) {
  const separatorLine = SEPARATOR_PATTERN.exec(text);
  const begin = separatorLine ? separatorLine[0].length : 0;
  const lines = text.slice(begin).split(/(?<=\n)/, SAMPLE_LINES), sample = lines.join("");
  const usual = separatorLine?.[1] ?? (kind === "tsv" ? "\t" : ",");
  const choices = (separatorLine ? [usual] : [usual, ...SEPARATORS]).map((separator, at) => dialect(separator, sample, at > 0 || kind !== "tsv" || separator !== "\t"));
  const cells = choices.map((choice) => completeRecords([...records(sample, choice)], lines.length === SAMPLE_LINES).map((each) => each.cells ?? []));
  const named = choices.findIndex((_, at) => cells[at][0] && fields.length > 0 && fields.every((field) => cells[at][0].some((name) => name.trim() === field)));
  const even = choices.findIndex((_, at) => cells[at][0]?.length > 1 && cells[at].every((row) => row.length === cells[at][0].length));
  const at = named >= 0 ? named : Math.max(even, 0);
  return { ...choices[at], begin, separatorLine: separatorLine?.[0] ?? "", usual: choices[at].separator === usual, sample: cells[at] };
}

/** The records of a sample. The last record of a truncated sample may be incomplete and is left out. */
function completeRecords(parsed, cut) {
  const broken = parsed.findIndex((each) => !each.cells);
  return cut ? parsed.slice(0, broken > 0 ? broken : Math.max(parsed.length - 1, 1)) : parsed;
}

function dialect(separator, sample, quoted) {
  const others = sample.trimStart().split(/[\r\n]/, 1)[0].split(separator).slice(1);
  const spaced = separator !== "\t" && others.length > 0 && others.every((cell) => cell.startsWith(" "));
  return { separator, quoted, spaced };
}

/** `{names, places, hasHeader}`: the column names, the places of the text, and whether the first record has the names. */
export function header(sample, name, { fields, header: hasHeader }) {
  const first = sample[0] ?? [];
  const names = hasHeader ? first.map((each) => each.trim()) : first.map((_, at) => String(at + 1));
  const missing = fields.find((field) => !names.includes(field));
  const repeated = fields.find((field) => names.indexOf(field) < names.lastIndexOf(field));
  if (repeated) throw new Error(`${name}: several columns are called ${quoted(repeated)}: give each its own name.`);
  if (!missing) return { names, places: fields.map((field) => names.indexOf(field)), hasHeader };
  const label = missing === "text" ? labelColumn(sample) : undefined;
  if (label !== undefined) return { names: ["1", "2"], places: [1 - label], hasHeader: false };
  if (!hasHeader && names.length === 1 && missing === "text") return { names, places: [0], hasHeader };
  const similar = names.find((each) => each.toLowerCase() === missing.toLowerCase());
  throw new Error(`${name} has no column ${quoted(missing)} among ${listed(names)}: ${similar ? `say ${quoted(similar)}` : "say the name of the text's column"}.`);
}

/** The column, of two, that repeats its first value and has fewer distinct values. */
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
