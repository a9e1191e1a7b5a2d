// The API key: requested when the service needs one, stored until the tab closes, and sent to this service only.
import { find } from "./element.js";

const STORAGE_KEY = "docket-key";
let pending;

/** The header with the key, or none. */
export function keyHeader() {
  const key = sessionStorage.getItem(STORAGE_KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Request another key; resolves when the user has entered it. Concurrent calls share one form. */
export function requestKey(signal) {
  pending ??= showKeyForm().finally(() => (pending = undefined));
  return Promise.race([pending, rejectOnAbort(signal)]);
}

function showKeyForm() {
  const form = find("key"), input = find("key-input"), focusedElement = document.activeElement;
  if (sessionStorage.getItem(STORAGE_KEY)) find("key-why").textContent = "The service refuses this key. Enter another.";
  sessionStorage.removeItem(STORAGE_KEY);
  form.hidden = false;
  input.focus();
  return new Promise((resolve, reject) => {
    const closeForm = () => {
      form.hidden = true;
      input.value = "";
      focusedElement?.focus();
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(STORAGE_KEY, input.value.trim());
      closeForm();
      resolve();
    };
    const cancel = () => {
      closeForm();
      reject(new Error("The service needs an API key."));
    };
    find("key-leave").onclick = cancel;
    form.onkeydown = (event) => {
      if (event.key === "Escape") cancel();
    };
  });
}

const rejectOnAbort = (signal) =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
