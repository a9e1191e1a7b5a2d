// Requests to the service that this page came from: its key, the wait that it asks for, its sentence when it refuses.
import { ask, header } from "./key.js";

const TRIES = 10;

/** An answer that is none; `again`: seconds after which the same request may succeed, undefined where it will not. */
export class Refusal extends Error {
  constructor(detail, status, again) {
    super(detail);
    this.status = status;
    this.again = again;
  }
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body, signal) =>
  request(path, { method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** What `send` brings, sent again for as long as that may help; `waiting(seconds, why)` is told of each wait. */
export async function patiently(send, signal, waiting) {
  for (let tried = 1; ; tried++) {
    try {
      return await send();
    } catch (refusal) {
      if (signal?.aborted || refusal.again === undefined || tried === TRIES) throw refusal;
      waiting(refusal.again, refusal.message);
      await pause(refusal.again, signal);
    }
  }
}

async function request(path, options) {
  const answer = await fetch(path, { ...options, headers: { ...options.headers, ...header() } }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service cannot be reached.", 0, 1);
  });
  if (answer.status === 401) {
    await ask(options.signal);
    return request(path, options);
  }
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  const detail = problem.detail ?? `The service answered ${answer.status}.`;
  throw new Refusal(detail, answer.status, [429, 503].includes(answer.status) ? after(answer) : undefined);
}

/** Seconds that `Retry-After` asks for; one where it does not say. */
function after(answer) {
  const seconds = Number.parseInt(answer.headers.get("retry-after"), 10);
  return Number.isNaN(seconds) ? 1 : Math.max(seconds, 0);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const leave = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", leave), resolve()), seconds * 1000);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
