// Links to pages that may need a key. A link cannot send one, so a sentence explains the request.
import { find } from "./element.js";

/** Follow a link only if the service does not refuse it. */
export function startFooter() {
  for (const link of document.querySelectorAll("footer a[data-setting]")) link.addEventListener("click", follow);
}

async function follow(event) {
  const link = event.currentTarget;
  event.preventDefault();
  const answer = await fetch(link.href, { method: "HEAD" }).catch(() => ({}));
  if (answer.status !== 401) return location.assign(link.href);
  const { setting, document: path } = link.dataset;
  find("footer-note").textContent = `${link.textContent} needs an API key, and a link cannot send one. `
    + `Run curl -H 'Authorization: Bearer YOUR_KEY' '${new URL(path, document.baseURI).href}', `
    + `or have the operator set ${setting}=true.`;
}
