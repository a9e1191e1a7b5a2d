// Tabs: one panel at a time. The address names it, so that links and the back button work.
import { find } from "./element.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

/** Show the panel with this id. */
export function show(id) {
  if (find(id).hidden) {
    if (location.hash.slice(1) !== id) history.pushState(null, "", `#${id}`);  // the hash itself would scroll the page
    scrollTo(0, 0);
  }
  for (const tab of tabs) {
    const selected = tab.getAttribute("aria-controls") === id;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    const panel = find(tab.getAttribute("aria-controls"));
    if (selected && panel.hidden) panel.dispatchEvent(new Event("shown"));
    panel.hidden = !selected;
  }
}

function showTabOfHash() {
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
addEventListener("popstate", showTabOfHash);
addEventListener("DOMContentLoaded", showTabOfHash);  // after the panels listen for it
