// The API key: asked for when the service wants one, kept for as long as this tab is open, and sent nowhere else.
import { find } from "./element.js";

const NAME = "docket-key";
let pending;

/** The header that says the key, where there is one. */
export function header() {
  const key = sessionStorage.getItem(NAME);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Ask for another key; resolved when there is one. All who ask meanwhile wait for the same. */
export function ask(signal) {
  pending ??= asked().finally(() => (pending = undefined));
  return Promise.race([pending, left(signal)]);
}

function asked() {
  const form = find("key"), input = find("key-input"), before = document.activeElement;
  if (sessionStorage.getItem(NAME)) find("key-why").textContent = "The service does not take this key. Is there another?";
  sessionStorage.removeItem(NAME);
  form.hidden = false;
  input.focus();
  return new Promise((resolve, reject) => {
    const end = () => {
      form.hidden = true;
      input.value = "";
      before?.focus();
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(NAME, input.value.trim());
      end();
      resolve();
    };
    const leave = () => {
      end();
      reject(new Error("The service asks for an API key."));
    };
    find("key-leave").onclick = leave;
    form.onkeydown = (event) => {
      if (event.key === "Escape") leave();
    };
  });
}

const left = (signal) =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
