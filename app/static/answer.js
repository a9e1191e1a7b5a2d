// An answer as people read it: the label, the bars of its scores, the words that weigh most.
import { bar, breakable, count, counted, element, percent, userText } from "./element.js";

const FIRST = 6;
const HEAVIEST = 8;
const LONG = 18;  // characters that cannot be broken: in larger type they are wider than a telephone

/** The label, or why there is none, and what was read. */
export function headline({ label, score, scores, tokens, unknown_tokens: unknown }) {
  const read = `${counted(tokens, "word")} read, ${count(unknown)} unknown`;
  return element("div", { class: "headline" },
    element("h2", { dir: "auto", class: isLong(label) && "long" }, label === null ? "No label" : breakable(label)),
    element("p", { class: "score" }, label === null
      ? [userText(scores[0].label), ` would have ${percent(score)}: too little`]
      : percent(score)),
    element("p", { class: "hint" }, read));
}

const isLong = (label) => (label ?? "").split(/[\s_\-./:]/).some((part) => part.length > LONG);

/** A bar for each score, the highest first; many are folded away. */
export function scores(all) {
  const list = (some) => element("ol", { class: "bars" }, some.map(scoreRow));
  const rest = all.slice(FIRST);
  return element("div", { class: "scores" },
    element("h3", {}, "Scores"),
    list(all.slice(0, FIRST)),
    rest.length > 0 && element("details", {}, element("summary", {}, `${count(rest.length)} more`), list(rest)));
}

const scoreRow = ({ label, score }) =>
  element("li", {}, element("span", { class: "name", dir: "auto" }, breakable(label)), bar(score), element("span", { class: "number" }, percent(score)));

/** A share as it is written: the sign is always there, since colour alone must not tell it. */
export const signed = (share) => `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(Math.abs(share) < 0.01 ? 4 : 2)}`;

/** The words whose shares, summed over the places where they stand, are farthest from nothing, on either side. */
export function weights({ scores: [{ label }], explanation }) {
  const sums = new Map();
  for (const { word, share } of explanation.words) {
    const key = word.toLowerCase(), sum = sums.get(key) ?? { word, share: 0, times: 0 };
    sums.set(key, { word: sum.word, share: sum.share + share, times: sum.times + 1 });
  }
  const ordered = [...sums.values()].sort((one, other) => other.share - one.share);
  const speak = ordered.filter((each) => each.share > 0).slice(0, HEAVIEST);
  const against = ordered.filter((each) => each.share < 0).slice(-HEAVIEST).reverse();
  const most = Math.max(...[...speak, ...against].map((each) => Math.abs(each.share)));
  const side = (title, words, kind) => words.length > 0 && element("div", {},
    element("h3", {}, title, userText(label)),
    element("ol", { class: "bars" }, words.map((each) => weightRow(each, most, kind))));
  return [side("Words for ", speak, "for"), side("Words against ", against, "against")];
}

const weightRow = ({ word, share, times }, most, kind) =>
  element("li", {},
    element("span", { class: "name", dir: "auto" }, word, times > 1 && element("small", {}, ` × ${count(times)}`)),
    bar(Math.abs(share) / most, kind),
    element("span", { class: "number" }, signed(share)));
