// The answer for people: the label, the bars of its scores, the words with the largest attributions.
import { bar, breakable, count, counted, element, percent, userText } from "./element.js";

const SHOWN_SCORES = 6;
const SHOWN_WORDS = 8;
const LONG_CHARACTERS = 18;  // characters without a break: in the larger type they are wider than a telephone

/** The label, or the reason why there is none, and the number of words. */
export function headline({ label, score, scores, tokens, unknown_tokens: unknown }) {
  const summary = `${counted(tokens, "word")} read, ${count(unknown)} unknown`;
  return element("div", { class: "headline" },
    element("h2", { dir: "auto", class: isLong(label) && "long" }, label === null ? "No label" : breakable(label)),
    element("p", { class: "score" }, label === null
      ? [userText(scores[0].label), ` would have ${percent(score)}: too little`]
      : percent(score)),
    element("p", { class: "hint" }, summary));
}

const isLong = (label) => (label ?? "").split(/[\s_\-./:]/).some((part) => part.length > LONG_CHARACTERS);

/** A bar for each score, the highest first; all but the first are folded away. */
export function scores(all) {
  const list = (rows) => element("ol", { class: "bars" }, rows.map(scoreRow));
  const folded = all.slice(SHOWN_SCORES);
  return element("div", { class: "scores" },
    element("h3", {}, "Scores"),
    list(all.slice(0, SHOWN_SCORES)),
    folded.length > 0 && element("details", {}, element("summary", {}, `${count(folded.length)} more`), list(folded)));
}

const scoreRow = ({ label, score }) =>
  element("li", {}, element("span", { class: "name", dir: "auto" }, breakable(label)), bar(score), element("span", { class: "number" }, percent(score)));

/** An attribution with its sign, since colour alone must not show it. */
export const signed = (share) => `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(Math.abs(share) < 0.01 ? 4 : 2)}`;

/** The words with the largest attributions for and against the label, summed over their occurrences. */
export function weights({ scores: [{ label }], explanation }) {
  const sums = new Map();
  for (const { word, share } of explanation.words) {
    const key = word.toLowerCase(), sum = sums.get(key) ?? { word, share: 0, times: 0 };
    sums.set(key, { word: sum.word, share: sum.share + share, times: sum.times + 1 });
  }
  const ordered = [...sums.values()].sort((a, b) => b.share - a.share);
  const supporting = ordered.filter((entry) => entry.share > 0).slice(0, SHOWN_WORDS);
  const against = ordered.filter((entry) => entry.share < 0).slice(-SHOWN_WORDS).reverse();
  const largest = Math.max(...[...supporting, ...against].map((entry) => Math.abs(entry.share)));
  const side = (title, words, kind) => words.length > 0 && element("div", {},
    element("h3", {}, title, userText(label)),
    element("ol", { class: "bars" }, words.map((entry) => weightRow(entry, largest, kind))));
  return [side("Words for ", supporting, "for"), side("Words against ", against, "against")];
}

const weightRow = ({ word, share, times }, largest, kind) =>
  element("li", {},
    element("span", { class: "name", dir: "auto" }, word, times > 1 && element("small", {}, ` × ${count(times)}`)),
    bar(Math.abs(share) / largest, kind),
    element("span", { class: "number" }, signed(share)));
