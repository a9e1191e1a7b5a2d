// Reads separated values and writes the same rows with added cells. The cells of the file stay as they are, with their quotes.
import { counted } from "./element.js";
import { detectDialect, header } from "./dialect.js";

const NAMES = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars" };
const OPEN_QUOTE = "a quote opens a text and none closes it: add the closing quote, or write a quote in a text twice";
const INNER_QUOTE = "a quote stands inside a quoted text: write it twice";
const SWALLOWED_ROWS = "a quote opens a text that holds whole rows: double the quote inside the text";

/** A CSV or TSV: rows with a `text` or an `error`. */
export class Csv {
  constructor(text, name, kind, options, marked) {
    this.text = text;
    this.dialect = detectDialect(text, kind, options.header ? options.fields : []);
    const { names, places, hasHeader } = header(this.dialect.sample, name, options);
    Object.assign(this, { names, places, hasHeader });
    const rule = this.dialect.separator === "|" && this.dialect.sample[1];
    if (rule && rule.some(Boolean) && rule.every((cell) => !cell || /^\s*:?-{3,}:?\s*$/.test(cell))) {
      throw new Error(`${name} is a table of Markdown: take out its rule, or save the table as .csv.`);
    }
    this.notes = this.dialect.usual ? [] : [`Separated by ${NAMES[this.dialect.separator]}.`];
    if (!hasHeader) this.notes.push(`The first line is read as a row, column ${places[0] + 1} as the text.`);
    this.end = text.includes("\r\n") ? "\r\n" : "\n";
    this.records = records(text, { ...this.dialect, wide: names.length });
    this.head = (marked ? "\ufeff" : "") + this.dialect.separatorLine;
    if (!hasHeader) return;
    const added = ["label", "score", "error"].map((own) => (names.includes(own) ? `docket_${own}` : own));
    this.head += [this.records.next().value.raw, ...added].join(this.dialect.separator) + this.end;
  }

  get length() {
    return this.text.length;
  }

  /** Each row as `{text | error, upTo, line}`; `line(answer)` is the row of the download. */
  *rows() {
    for (const { cells, raw, upTo, error } of this.records) {
      const wrong = error ?? this.#repeated(cells) ?? this.#wrongWidth(cells);
      const kept = cells?.length === this.names.length ? raw : this.#fitted(cells ?? [raw]);
      yield { text: cells && this.places.map((at) => cells[at] ?? "").join("\n"), error: wrong, upTo, line: (answer) => this.#line(kept, answer) };
    }
  }

  /** Joined files contain their line of names twice. */
  #repeated(cells) {
    const names = this.hasHeader && cells.length > 1 && cells.length === this.names.length && cells.every((cell, at) => cell === this.names[at]);
    return names ? "the row repeats the line of names: take it out" : undefined;
  }

  /** Missing cells without a name come from separators at the end of the first line. */
  #wrongWidth(cells) {
    const wide = this.names.length;
    if (cells.length <= wide && !this.names.slice(cells.length).some(Boolean)) return undefined;
    return `the row has ${counted(cells.length, "cell")}, and the first line ${wide}`;
  }

  #line(kept, { label, score, error }) {
    const added = [guardFormula(label ?? ""), score ?? "", guardFormula(error ?? "")];
    return [kept, ...added.map((cell) => this.#quoted(String(cell)))].join(this.dialect.separator) + this.end;
  }

  /** The row with as many cells as columns, so that added cells have columns of their own. */
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

/** A cell that a spreadsheet could take for a formula becomes text with an apostrophe; numbers stay. */
const guardFormula = (cell) => (/^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell);

/** Records as `{cells | error, raw, upTo}`. A record with broken quotes is its first line alone; the next begins after it.
 *
 * Lines are read at most twice: in the text behind a broken quote no quote opens a cell without closing it.
 */
export function* records(text, dialect) {
  const plain = new RegExp(`[^${dialect.separator}\r\n]*`, "y");
  let begin = dialect.begin ?? 0;
  while (begin < text.length) {
    const line = lineEnd(text, begin);
    const { cells, end, broken } = dialect.quoted ? record(text, begin, dialect, plain) : { cells: text.slice(begin, line).split("\t"), end: line };
    const error = broken ?? (cells.some((cell, at) => holdsRows(cell, at, cells[0], dialect)) ? SWALLOWED_ROWS : undefined);
    const stop = error ? line : end;
    const upTo = stop + (text.startsWith("\r\n", stop) ? 2 : 1);
    const raw = text.slice(begin, stop);
    if (error) yield { raw, upTo, error };
    else if (cells.length > 1 || cells[0].trim()) yield { cells, raw, upTo };
    begin = upTo;
  }
}

/** Whether all lines of a text look like rows of the file, because of an accidental quote.
 *
 * In a column after the first, the lines must begin with a value like those of the first column, such as a number.
 */
function holdsRows(cell, at, first, { separator, wide }) {
  if (!(wide > 1) || !/[\r\n]/.test(cell)) return false;
  const lines = cell.replace(/[\r\n]+$/, "").split(/\r\n|\r|\n/).slice(at > 0 ? 1 : 0);
  const rows = lines.map((line) => line.split(separator)), completeRows = rows.slice(0, -1);
  const decimal = new RegExp(`\\d\\${separator}\\d`), digitPattern = (value) => value.replace(/\d+/g, "0");
  if (completeRows.length < (at > 0 ? 1 : 2) || lines.slice(0, -1).every((line) => decimal.test(line))) return false;
  if (at > 0 && !rows.every((row) => row.length > 1 && digitPattern(row[0]) === digitPattern(first))) return false;
  return completeRows.every((row) => row.length === wide && row.every((value) => value.trim() && !value.startsWith(" ")));
}

/** The cells from `begin` on and the `end` of the record, or how its quotes are `broken`. */
function record(text, begin, { separator, spaced }, plain) {
  const cells = [];
  for (let at = begin; ; at++) {
    while (spaced && text[at] === " ") at++;
    if (text[at] === '"') {
      let close = at;
      do close = text.indexOf('"', close + 1) + 1;
      while (close > 0 && text[close] === '"');
      if (close === 0) return { broken: OPEN_QUOTE };
      if (close < text.length && ![separator, "\n", "\r"].includes(text[close])) return { broken: INNER_QUOTE };
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

/** The end of the line that contains `begin`. */
function lineEnd(text, begin) {
  const end = /[\r\n]/g;
  end.lastIndex = begin;
  return end.exec(text)?.index ?? text.length;
}
