// Tabs: one panel at a time, named in the address, so that a link or the back button finds it again.
import { find } from "./element.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

/** Show the panel with this id. */
export function show(id) {
  if (find(id).hidden) {
    if (location.hash.slice(1) !== id) history.pushState(null, "", `#${id}`);  // the hash itself would scroll the page
    scrollTo(0, 0);
  }
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === id;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    const panel = find(tab.getAttribute("aria-controls"));
    if (chosen && panel.hidden) panel.dispatchEvent(new Event("shown"));
    panel.hidden = !chosen;
  }
}

function follow() {
  const id = location.hash.slice(1);
  show(tabs.some((tab) => tab.getAttribute("aria-controls") === id) ? id : "document");
}

for (const tab of tabs) {
  tab.addEventListener("click", () => show(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const end = { Home: 0, End: tabs.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    const next = tabs[end ?? (tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    show(next.getAttribute("aria-controls"));
    next.focus();
  });
}
addEventListener("popstate", follow);
addEventListener("DOMContentLoaded", follow);  // after the panels listen for it
