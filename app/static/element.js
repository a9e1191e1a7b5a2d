// Elements made from text. No text becomes markup: strings are appended as text nodes.

/** The element of the page with this id. */
export const find = (id) => document.getElementById(id);

/** A new element. Attributes and children that are false, null or undefined are omitted. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== false && child != null));
  return made;
}

/** A label as the content of an element with dir="auto". Its lines may break after the signs that join its words. */
export const breakable = (text) =>
  text.split(/(?<=[_\-./:])/).flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part]));

/** Text of a user within a sentence, in its writing direction. */
export const userText = (text) => element("bdi", {}, breakable(text));

/** A bar with the width `share` (0 to 1) of its container. A number beside it has the same value for screen readers. */
export function bar(share, kind = "") {
  const filled = element("span", { class: `bar ${kind}`, "aria-hidden": "true" });
  filled.style.setProperty("--share", share);
  return filled;
}

export const count = (number) => number.toLocaleString("en");

/** "3 rows", "1 row". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A probability in percent. A value above 0 or below 1 is never rounded to 0 or 100 %. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  if (share < 1 && share >= 0.9995) return "> 99.9 %";
  return `${(share * 100).toFixed(1)} %`;
}
