// Scores rows through POST /predict/batch: a few requests at a time, in order. A bad row fails alone.
import { retry, post } from "./api.js";

const REQUEST_ROWS = 64, REQUEST_CHARACTERS = 200_000;  // limits of a request: other clients are served between two
const CONCURRENT_REQUESTS = 4;
const YIELD_AFTER_MS = 30;  // milliseconds of work before the page may render and handle keys

/** Each row with its answer, `[row, {label, score} | {error}]`, in batches and in order. */
export async function* scoreRows(rows, signal, onWait) {
  const pending = [];
  let lastYield = performance.now();
  for (const batch of splitRows(rows)) {
    const results = scoreBatch(batch, signal, onWait);
    results.catch(() => {});  // the error is reported when the batch is yielded
    pending.push([batch, results]);
    if (pending.length === CONCURRENT_REQUESTS) yield pairResults(pending.shift());
    if (performance.now() - lastYield > YIELD_AFTER_MS) {
      await yieldToPage();
      lastYield = performance.now();
    }
    signal.throwIfAborted();
  }
  for (const request of pending) yield pairResults(request);
}

async function pairResults([batch, results]) {
  const answers = await results;
  return batch.map((row, at) => [row, answers[at]]);
}

/** One answer for each row of a batch. */
async function scoreBatch(batch, signal, onWait) {
  const valid = batch.filter((row) => row.error === undefined);
  const answers = (valid.length > 0 ? await predictTexts(valid.map((row) => row.text), signal, onWait) : []).values();
  return batch.map((row) => (row.error === undefined ? answers.next().value : { error: row.error }));
}

/** One answer for each text. A refused request is halved until the refused text is alone with its error. */
async function predictTexts(texts, signal, onWait) {
  try {
    const body = { documents: texts.map((text) => ({ text })), top_k: 1 };
    return (await retry(() => post("predict/batch", body, signal), signal, onWait)).results;
  } catch (refusal) {
    if (signal.aborted || !refusal.status) throw refusal;  // cancelled, or unreachable
    if (texts.length === 1) return [{ error: refusal.message }];
    const half = texts.length >> 1;
    return [...await predictTexts(texts.slice(0, half), signal, onWait), ...await predictTexts(texts.slice(half), signal, onWait)];
  }
}

function* splitRows(rows) {
  let batch = [], characters = 0;
  for (const row of rows) {
    batch.push(row);
    characters += row.text?.length ?? 0;
    if (batch.length === REQUEST_ROWS || characters >= REQUEST_CHARACTERS) {
      yield batch;
      [batch, characters] = [[], 0];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Let the browser run other work. Unlike a timer, a message is not delayed in a hidden tab. */
const yieldToPage = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
