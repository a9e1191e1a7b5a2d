// Separated values in, and the same rows out with cells added. What was in the file stays as it was, quotes and all.
import { counted } from "./element.js";
import { header, sniff } from "./dialect.js";

const NAMES = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" };
const OPEN = "a quote in the row is not closed, or not doubled within a cell";
const SWALLOWED = "a quote opens a text that holds whole rows: double the quote inside the text";

/** A CSV or TSV: rows with a `text`, or with an `error` where there is none to be had. */
export class Csv {
  constructor(text, name, kind, how, marked) {
    this.text = text;
    this.dialect = sniff(text, kind, how.header ? how.fields : []);
    const { names, places, given } = header(this.dialect.sample, name, how);
    Object.assign(this, { names, places, given });
    const rule = this.dialect.separator === "|" && this.dialect.sample[1];
    if (rule && rule.some(Boolean) && rule.every((cell) => !cell || /^\s*:?-{3,}:?\s*$/.test(cell))) {
      throw new Error(`${name} is a table of Markdown: take out its rule, or save the table as .csv.`);
    }
    this.notes = this.dialect.usual ? [] : [`Separated by ${NAMES[this.dialect.separator]}.`];
    if (!given) this.notes.push(`The first line is read as a row, column ${places[0] + 1} as the text.`);
    this.end = text.includes("\r\n") ? "\r\n" : "\n";
    this.records = records(text, { ...this.dialect, wide: names.length });
    this.head = (marked ? "\ufeff" : "") + this.dialect.said;
    if (!given) return;
    const added = ["label", "score", "error"].map((own) => (names.includes(own) ? `docket_${own}` : own));
    this.head += [this.records.next().value.raw, ...added].join(this.dialect.separator) + this.end;
  }

  get length() {
    return this.text.length;
  }

  /** Each row as `{text | error, upTo, line}`; `line(answer)` is the row as it is written back. */
  *rows() {
    for (const { cells, raw, upTo, error } of this.records) {
      const wrong = error ?? this.#repeated(cells) ?? this.#wrongWidth(cells);
      const kept = cells?.length === this.names.length ? raw : this.#fitted(cells ?? [raw]);
      yield { text: cells && this.places.map((at) => cells[at] ?? "").join("\n"), error: wrong, upTo, line: (answer) => this.#line(kept, answer) };
    }
  }

  /** Two files that were joined have their line of names twice. */
  #repeated(cells) {
    const names = this.given && cells.length > 1 && cells.length === this.names.length && cells.every((cell, at) => cell === this.names[at]);
    return names ? "the row repeats the line of names: take it out" : undefined;
  }

  /** Cells that lack a value and a name are only separators at the end of the first line. */
  #wrongWidth(cells) {
    const wide = this.names.length;
    if (cells.length <= wide && !this.names.slice(cells.length).some(Boolean)) return undefined;
    return `the row has ${counted(cells.length, "cell")}, and the first line ${wide}`;
  }

  #line(kept, { label, score, error }) {
    const added = [guarded(label ?? ""), score ?? "", guarded(error ?? "")];
    return [kept, ...added.map((cell) => this.#quoted(String(cell)))].join(this.dialect.separator) + this.end;
  }

  /** A row with too few or too many cells in as many as there are columns, so that what is added stands in its own. */
  #fitted(cells) {
    const wide = this.names.length;
    const last = cells.slice(wide - 1).join(this.dialect.separator);
    const fitted = cells.length > wide ? [...cells.slice(0, wide - 1), last] : [...cells, ...Array(wide - cells.length).fill("")];
    return fitted.map((cell) => this.#quoted(cell)).join(this.dialect.separator);
  }

  #quoted(cell) {
    if (!this.dialect.quoted) return cell.replace(/[\t\r\n]+/g, " ");
    return cell.includes(this.dialect.separator) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  }
}

/** What a spreadsheet could take for a formula, made text by an apostrophe; numbers stay. */
const guarded = (cell) => (/^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell);

/** Records as `{cells | error, raw, upTo}`; one whose quotes are broken is its first line alone, and the next begins after it.
 *
 * Lines are read at most twice: what a broken quote looked through has no quote that opens a cell and is not closed there.
 */
export function* records(text, dialect) {
  const plain = new RegExp(`[^${dialect.separator}\r\n]*`, "y");
  let begin = dialect.begin ?? 0;
  while (begin < text.length) {
    const line = lineEnd(text, begin);
    const { cells, end } = dialect.quoted ? record(text, begin, dialect, plain) : { cells: text.slice(begin, line).split("\t"), end: line };
    const error = end === undefined ? OPEN : cells.some((cell, at) => holdsRows(cell, at, cells[0], dialect)) ? SWALLOWED : undefined;
    const stop = error ? line : end;
    const upTo = stop + (text.startsWith("\r\n", stop) ? 2 : 1);
    const raw = text.slice(begin, stop);
    if (error) yield { raw, upTo, error };
    else if (cells.length > 1 || cells[0].trim()) yield { cells, raw, upTo };
    begin = upTo;
  }
}

/** Whether a text has lines that all look like rows of the file: a quote that nobody meant to open.
 *
 * In a column after the first they begin with a value of the form that the first column has, such as a number.
 */
function holdsRows(cell, at, first, { separator, wide }) {
  if (!(wide > 1) || !/[\r\n]/.test(cell)) return false;
  const lines = cell.replace(/[\r\n]+$/, "").split(/\r\n|\r|\n/).slice(at > 0 ? 1 : 0);
  const rows = lines.map((line) => line.split(separator)), whole = rows.slice(0, -1);
  const decimal = new RegExp(`\\d\\${separator}\\d`), form = (value) => value.replace(/\d+/g, "0");
  if (whole.length < (at > 0 ? 1 : 2) || lines.slice(0, -1).every((line) => decimal.test(line))) return false;
  if (at > 0 && !rows.every((row) => row.length > 1 && form(row[0]) === form(first))) return false;
  return whole.every((row) => row.length === wide && row.every((value) => value.trim() && !value.startsWith(" ")));
}

/** The cells from `begin` and the `end` of the last; no end where a quote has no partner. */
function record(text, begin, { separator, spaced }, plain) {
  const cells = [];
  for (let at = begin; ; at++) {
    while (spaced && text[at] === " ") at++;
    if (text[at] === '"') {
      let close = at;
      do close = text.indexOf('"', close + 1) + 1;
      while (close > 0 && text[close] === '"');
      if (close === 0 || !(close === text.length || [separator, "\n", "\r"].includes(text[close]))) return {};
      cells.push(text.slice(at + 1, close - 1).replaceAll('""', '"'));
      at = close;
    } else {
      plain.lastIndex = at;
      cells.push(plain.exec(text)[0]);
      at = plain.lastIndex;
    }
    if (text[at] !== separator) return { cells, end: at };
  }
}

/** Where the line that `begin` is in ends. */
function lineEnd(text, begin) {
  const end = /[\r\n]/g;
  end.lastIndex = begin;
  return end.exec(text)?.index ?? text.length;
}
