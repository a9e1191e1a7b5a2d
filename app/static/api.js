// Requests to the service of this page, with the API key, retries after `Retry-After`, and problem sentences.
import { requestKey, keyHeader } from "./key.js";

const MAX_ATTEMPTS = 10;

/** A failed request. `retrySeconds`: the wait before a retry, undefined if a retry cannot help. */
export class Refusal extends Error {
  constructor(detail, status, retrySeconds) {
    super(detail);
    this.status = status;
    this.retrySeconds = retrySeconds;
  }
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body, signal) =>
  request(path, { method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** Call `send` until it succeeds or a retry cannot help. `onWait(seconds, why)` is called before each wait. */
export async function retry(send, signal, onWait) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (refusal) {
      if (signal?.aborted || refusal.retrySeconds === undefined || attempt === MAX_ATTEMPTS) throw refusal;
      onWait(refusal.retrySeconds, refusal.message);
      await pause(refusal.retrySeconds, signal);
    }
  }
}

async function request(path, options) {
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...keyHeader() } }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service cannot be reached.", 0, 1);
  });
  if (response.status === 401) {
    await requestKey(options.signal);
    return request(path, options);
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  const detail = problem.detail ?? `The service answered ${response.status}.`;
  throw new Refusal(detail, response.status, [429, 503].includes(response.status) ? retryAfterSeconds(response) : undefined);
}

/** The seconds of `Retry-After`, 1 without that header. */
function retryAfterSeconds(response) {
  const seconds = Number.parseInt(response.headers.get("retry-after"), 10);
  return Number.isNaN(seconds) ? 1 : Math.max(seconds, 0);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const cancel = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", cancel), resolve()), seconds * 1000);
    signal?.addEventListener("abort", cancel, { once: true });
  });
}
