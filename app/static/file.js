// The tab of a file: from rows to a progress bar, counts for each label, and the file with labels as a download.
import { bar, count, counted, element, find, percent } from "./element.js";
import { openTable } from "./table.js";
import { scoreRows } from "./batch.js";

const SHOWN_ERRORS = 20, SHOWN_ROWS = 8, SHOWN_LABELS = 12;
let controller, download, lastFile;

export function startFile() {
  const pick = find("pick");
  pick.addEventListener("change", () => {
    if (pick.files[0]) openFile(pick.files[0]);
    pick.value = "";
  });
  find("reading").addEventListener("change", () => lastFile && openFile(lastFile));
}

/** The options of the form on how to read the file. */
const readOptions = () => ({ fields: find("field").value.split(",").map((each) => each.trim()).filter(Boolean), encoding: find("encoding").value, header: !find("headless").checked });

/** Score the rows of a file; a running job is cancelled. */
export async function openFile(file) {
  controller?.abort();
  lastFile = file;
  const ownController = (controller = new AbortController());
  find("file-alert").textContent = "";
  find("file-status").textContent = `Reading ${file.name}…`;
  find("job").hidden = true;
  find("job").replaceChildren();
  try {
    const table = await openTable(file, readOptions());
    const job = new Job(file.name, table, ownController);
    find("job").replaceChildren(job.place);
    find("job").hidden = false;
    find("file-status").textContent = `Scoring ${file.name}.`;
    await job.run();
    if (controller === ownController) find("file-status").textContent = job.sentence();
  } catch (error) {
    if (controller !== ownController) return;
    find("file-status").textContent = "";
    find("file-alert").textContent = error.message;
    find("reading").open = true;  // its options correct the usual errors
  }
}

/** The scoring of a file, and its display. */
class Job {
  constructor(name, table, controller) {
    Object.assign(this, { name, table, controller, done: 0, labels: new Map(), broken: [], wrong: 0, written: [table.head], first: [] });
    this.progress = element("progress", { max: table.length, value: 0, "aria-label": `Scoring ${name}` });
    this.told = element("p", { class: "hint" });
    this.cancel = element("button", { type: "button" }, "Cancel");
    this.cancel.onclick = () => controller.abort(new Error("cancelled"));
    this.found = element("div", { class: "found" });
    this.place = element("div", {},
      element("div", { class: "row" }, element("h2", {}, name), this.cancel), this.progress,
      table.notes.map((note) => element("p", { class: "hint" }, note)), this.told, this.found);
  }

  /** Score all rows. After a cancel or a failure the finished rows can be downloaded. */
  async run() {
    const began = performance.now(), { signal } = this.controller;
    const onWait = (seconds, why) => this.tell(began, ` · ${why} Trying again in ${counted(seconds, "second")}.`);
    try {
      for await (const batch of scoreRows(this.table.rows(), signal, onWait)) {
        for (const [row, answer] of batch) this.take(row, answer);
        this.tell(began);
      }
      this.whole = true;
    } catch (error) {
      this.failed = signal.aborted ? "Cancelled" : error.message;
    }
    this.written.push(this.table.tail ?? "");
    this.end();
  }

  take(row, { label, score, error }) {
    this.done++;
    this.written.push(row.line({ label, score, error }));
    this.progress.value = row.upTo;
    if (this.first.length < SHOWN_ROWS) this.first.push({ number: this.done, text: row.text, label, score, error });
    if (error === undefined) this.labels.set(label, (this.labels.get(label) ?? 0) + 1);
    else if (++this.wrong <= SHOWN_ERRORS) this.broken.push({ number: this.done, error });
  }

  tell(began, more = "") {
    const rate = Math.round(this.done / ((performance.now() - began) / 1000));
    this.told.textContent = `${counted(this.done, "row")}, ${count(rate)} a second${more}`;
    this.found.replaceChildren(byLabel(this.labels, this.done - this.wrong));
  }

  end() {
    this.progress.hidden = this.whole;
    this.cancel.remove();
    this.told.textContent = this.sentence();
    if (download) URL.revokeObjectURL(download);
    download = URL.createObjectURL(new Blob(this.written));
    const name = this.name.replace(/\.gz$/i, "").replace(/(\.\w+)$/, `${this.whole ? ".labelled" : ".labelled.part"}$1`);
    this.written = [];
    const link = element("a", { class: "button main", href: download, download: name }, `Download ${name}`);
    this.found.replaceChildren(
      this.done > 0 ? link : "",
      byLabel(this.labels, this.done - this.wrong),
      this.wrong > 0 ? brokenRows(this.broken, this.wrong) : "",
      this.done > 0 ? firstRows(this.first) : "");
  }

  /** The outcome as a sentence. */
  sentence() {
    const rows = `${counted(this.done - this.wrong, "row")} scored${this.wrong ? `, ${count(this.wrong)} broken` : ""}`;
    return this.whole ? `${rows}.` : `${this.failed} after ${counted(this.done, "row")}: ${rows}.`;
  }
}

function byLabel(labels, answered) {
  const largest = Math.max(...labels.values());
  const all = [...labels].sort(([, a], [, b]) => b - a);
  return element("div", {},
    element("h3", {}, "By label"),
    element("ol", { class: "bars" }, all.slice(0, SHOWN_LABELS).map(([label, number]) =>
      element("li", {},
        element("span", { class: "name", title: label ?? "" }, label ?? "no label"), bar(number / largest),
        element("span", { class: "number" }, `${count(number)} · ${percent(number / answered)}`)))),
    all.length > SHOWN_LABELS && element("p", { class: "hint" }, `and ${count(all.length - SHOWN_LABELS)} more`));
}

const brokenRows = (rows, all) =>
  element("div", {},
    element("h3", {}, "Broken rows"),
    element("ul", { class: "broken" }, rows.map(({ number, error }) => element("li", {}, element("b", {}, `Row ${count(number)}`), ` ${error}`))),
    all > rows.length && element("p", { class: "hint" }, `and ${count(all - rows.length)} more: the download has each in its place`));

const firstRows = (rows) =>
  element("div", {},
    element("h3", {}, "First rows"),
    element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "First rows" },
      element("table", {},
        element("thead", {}, element("tr", {}, ["Row", "Label", "Score", "Text"].map((name) => element("th", { scope: "col" }, name)))),
        element("tbody", {}, rows.map(({ number, label, score, error, text }) =>
          element("tr", {},
            element("td", { class: "number" }, count(number)),
            element("td", {}, error === undefined ? label ?? "no label" : element("span", { class: "wrong" }, "broken")),
            element("td", { class: "number" }, score === undefined ? "" : percent(score)),
            element("td", { class: "excerpt" }, (text ?? "").slice(0, 160))))))));
