// Rows scored through POST /predict/batch: a few requests at a time, in order, and no row lost for another's sake.
import { patiently, post } from "./api.js";

const ROWS = 64, CHARACTERS = 200_000;  // of a request: others have their turn between two
const AT_ONCE = 4;
const BREATH = 30;  // milliseconds of work until the page may draw and hear its keys

/** Each row with its answer, `[row, {label, score} | {error}]`, in parcels and in order. */
export async function* scored(rows, signal, waiting) {
  const flying = [];
  let breathed = performance.now();
  for (const parcel of parcels(rows)) {
    const coming = answers(parcel, signal, waiting);
    coming.catch(() => {});  // it is heard of when its turn comes
    flying.push([parcel, coming]);
    if (flying.length === AT_ONCE) yield arrived(flying.shift());
    if (performance.now() - breathed > BREATH) {
      await breath();
      breathed = performance.now();
    }
    signal.throwIfAborted();
  }
  for (const each of flying) yield arrived(each);
}

async function arrived([parcel, coming]) {
  const given = await coming;
  return parcel.map((row, at) => [row, given[at]]);
}

/** One answer for each row of a parcel. */
async function answers(parcel, signal, waiting) {
  const sound = parcel.filter((row) => row.error === undefined);
  const given = (sound.length > 0 ? await asked(sound.map((row) => row.text), signal, waiting) : []).values();
  return parcel.map((row) => (row.error === undefined ? given.next().value : { error: row.error }));
}

/** One answer for each text. A refused request is halved, until the text that is refused stands alone with its error. */
async function asked(texts, signal, waiting) {
  try {
    const body = { documents: texts.map((text) => ({ text })), top_k: 1 };
    return (await patiently(() => post("predict/batch", body, signal), signal, waiting)).results;
  } catch (refusal) {
    if (signal.aborted || !refusal.status) throw refusal;  // left, or out of reach
    if (texts.length === 1) return [{ error: refusal.message }];
    const half = texts.length >> 1;
    return [...await asked(texts.slice(0, half), signal, waiting), ...await asked(texts.slice(half), signal, waiting)];
  }
}

function* parcels(rows) {
  let parcel = [], characters = 0;
  for (const row of rows) {
    parcel.push(row);
    characters += row.text?.length ?? 0;
    if (parcel.length === ROWS || characters >= CHARACTERS) {
      yield parcel;
      [parcel, characters] = [[], 0];
    }
  }
  if (parcel.length > 0) yield parcel;
}

/** Let others run; unlike a timer it is not held back in a tab that is not looked at. */
const breath = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
