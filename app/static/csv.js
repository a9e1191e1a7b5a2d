// CSV (RFC 4180) in, and the same rows out with cells added. What was in the file stays as it was, quotes and all.

import { counted } from "./element.js";

const FIELD = "text";
const MARK = "\ufeff";

/** A CSV or TSV: rows with a `text`, or with an `error` where there is none to be had. */
export class Csv {
  constructor(text, name, tabs) {
    this.mark = text.startsWith(MARK) ? MARK : "";
    this.text = text.slice(this.mark.length);
    const line = this.text.slice(0, lineEnd(this.text, 0));
    this.delimiter = tabs ? "\t" : !line.includes(",") && line.includes(";") ? ";" : ",";
    this.end = this.text.includes("\r\n") ? "\r\n" : "\n";
    this.records = records(this.text, this.delimiter);
    const first = this.records.next().value;
    this.columns = first?.cells ?? [];
    this.column = this.columns.indexOf(FIELD);
    if (this.column < 0) throw new Error(`${name} has no column ${FIELD} in its first line: give the column of the documents that name.`);
    const added = ["label", "score", "error"].map((own) => (this.columns.includes(own) ? `docket_${own}` : own));
    this.head = this.mark + [first.raw, ...added].join(this.delimiter) + this.end;
  }

  get length() {
    return this.text.length;
  }

  /** Each row as `{text | error, upTo, line}`; `line(answer)` is the row as it is written back. */
  *rows() {
    const wide = this.columns.length;
    for (const { cells, raw, upTo, error } of this.records) {
      const whole = cells?.length === wide;
      const wrong = error ?? (whole ? undefined : `the row has ${counted(cells.length, "cell")}, and the first line ${wide}`);
      const kept = whole ? raw : this.#fitted(cells ?? [raw], wide);
      yield { text: cells?.[this.column], error: wrong, upTo, line: (answer) => this.#line(kept, answer) };
    }
  }

  #line(kept, { label, score, error }) {
    const added = [guarded(label ?? ""), score ?? "", guarded(error ?? "")];
    return [kept, ...added.map((cell) => this.#quoted(String(cell)))].join(this.delimiter) + this.end;
  }

  /** A row with too few or too many cells in as many as there are columns, so that what is added stands in its own. */
  #fitted(cells, wide) {
    const last = cells.slice(wide - 1).join(this.delimiter);
    const fitted = cells.length > wide ? [...cells.slice(0, wide - 1), last] : [...cells, ...Array(wide - cells.length).fill("")];
    return fitted.map((cell) => this.#quoted(cell)).join(this.delimiter);
  }

  #quoted(cell) {
    return cell.includes(this.delimiter) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  }
}

/** What a spreadsheet could take for a formula, made text by an apostrophe; numbers stay. */
const guarded = (cell) => (/^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell);

/** Records as `{cells | error, raw, upTo}`; one whose quotes are broken is its first line alone, and the next begins after it.
 *
 * Lines are read at most twice: what a broken quote looked through has no quote that opens a cell and is not closed there.
 */
function* records(text, delimiter) {
  const plain = new RegExp(`[^${delimiter}\r\n]*`, "y");
  let begin = 0;
  while (begin < text.length) {
    const line = lineEnd(text, begin);
    const { cells, end } = record(text, begin, delimiter, plain);
    const stop = end ?? line;
    const upTo = stop + (text.startsWith("\r\n", stop) ? 2 : 1);
    const raw = text.slice(begin, stop);
    if (end === undefined) yield { raw, upTo, error: "a quote in the row is not closed, or not doubled within a cell" };
    else if (raw) yield { cells, raw, upTo };
    begin = upTo;
  }
}

/** The cells from `begin` and the `end` of the last; no end where a quote has no partner. */
function record(text, begin, delimiter, plain) {
  const cells = [];
  for (let at = begin; ; at++) {
    if (text[at] === '"') {
      let close = at;
      do close = text.indexOf('"', close + 1) + 1;
      while (close > 0 && text[close] === '"');
      if (close === 0 || !(close === text.length || [delimiter, "\n", "\r"].includes(text[close]))) return {};
      cells.push(text.slice(at + 1, close - 1).replaceAll('""', '"'));
      at = close;
    } else {
      plain.lastIndex = at;
      cells.push(plain.exec(text)[0]);
      at = plain.lastIndex;
    }
    if (text[at] !== delimiter) return { cells, end: at };
  }
}

/** Where the line that `begin` is in ends. */
function lineEnd(text, begin) {
  const end = /[\r\n]/g;
  end.lastIndex = begin;
  return end.exec(text)?.index ?? text.length;
}
