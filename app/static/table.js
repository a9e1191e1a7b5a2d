// Files of rows: the file kinds, and how their bytes are read.
import { Csv } from "./csv.js";
import { decode } from "./encoding.js";
import { Json } from "./json.js";

const MAX_BYTES = 256 * 2 ** 20;  // bytes: a browser holds the file, its text and the answer in memory
const KIND = /\.(csv|tsv|jsonl|ndjson|json)(\.gz)?$/i;
const FOREIGN = {
  "PK\x03\x04": "a workbook or another archive: save the sheet as .csv",
  "%PDF": "a PDF: save its text",
  "PAR1": "Parquet, which docket predict reads: save it as .csv",
};

/** Whether a file of this name has rows. */
export const isTable = (name) => KIND.test(name);

/** The file as a table: `head` and `tail` around the rows of the download, `rows()`, `notes` and `length` in characters.
 *
 * `options`: `fields`, the columns of the text, joined in this order; `encoding`, if not UTF-8; `header`, false if the first line is a row.
 */
export async function openTable(file, options = {}) {
  const kind = KIND.exec(file.name)?.[1].toLowerCase();
  if (!kind) throw new Error(`${file.name} is no .csv, .tsv, .json or .jsonl: save it as one of them.`);
  const { text, marked } = await read(file, options.encoding);
  if (!text.trim()) throw new Error(`${file.name} is empty: give it one document a row.`);
  const complete = { header: true, ...options, fields: options.fields?.length ? options.fields : ["text"] };
  return kind.endsWith("sv") ? new Csv(text, file.name, kind, complete, marked) : new Json(text, file.name, kind, complete);
}

/** The text of a file. */
export const readText = async (file) => (await read(file)).text;

async function read(file, encoding) {
  const bytes = await readBytes(file);
  const foreign = FOREIGN[String.fromCharCode(...bytes.subarray(0, 4))];
  if (foreign) throw new Error(`${file.name} is ${foreign}.`);
  return decode(bytes, file.name, encoding);
}

/** All bytes of a file. More than `MAX_BYTES`, unpacked, are refused before they are in memory. */
async function readBytes(file) {
  const packed = /\.gz$/i.test(file.name);
  const stream = packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  const pieces = [];
  let size = 0;
  try {
    for (const reader = stream.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
      if ((size += value.length) > MAX_BYTES) break;
      pieces.push(value);
    }
  } catch {
    throw new Error(`${file.name} cannot be read${packed ? ", or is no whole .gz file" : ""}: save it again.`);
  }
  throw new Error(`${file.name} is larger than 256 MB: use docket predict for it.`);
}
