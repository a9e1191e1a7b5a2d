// A file of rows: which kinds there are, and how their bytes are read.
import { Csv } from "./csv.js";
import { Jsonl } from "./jsonl.js";

const MOST = 256 * 2 ** 20;  // bytes: a browser holds the file, its text and the answer in memory
const KIND = /\.(csv|tsv|jsonl|ndjson)$/i;

/** Whether a file of this name has rows. */
export const isTable = (name) => KIND.test(name);

/** The file as a table: `head` (what its answer begins with), `rows()` and `length` in characters. */
export async function opened(file) {
  const kind = KIND.exec(file.name)?.[1].toLowerCase();
  if (!kind) throw new Error(`${file.name} is no .csv, .tsv or .jsonl: say by its name which it is.`);
  const text = await read(file);
  return kind.endsWith("sv") ? new Csv(text, file.name, kind === "tsv") : new Jsonl(text);
}

/** A file's text without the mark that some programs begin it with. */
export const decoded = async (file) => (await read(file)).replace(/^\ufeff/, "");

/** Only UTF-8 is read: a guess would be wrong silently. */
async function read(file) {
  if (file.size > MOST) throw new Error(`${file.name} is larger than 256 MB: use docket predict for it.`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is no text in UTF-8: save it as that, and drop it again.`);
  }
}
