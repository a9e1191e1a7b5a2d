// A text with each word shaded by its share of the answer. A long text is cut into blocks, and only those that are in
// view have an element for each word: a document of 100,000 words holds a thousand or two at a time.
import { element, userText } from "./element.js";
import { signed } from "./answer.js";
import { units } from "./units.js";

const BLOCK = 300;  // words, and on to the end of a line if that comes within as many again

/** The text in its own scrolled place, with a line that says the word under the pointer or the arrow keys. */
export function shadedText(text, { scores: [{ label }], explanation }) {
  const { words, logit, bias } = explanation;
  const readout = element("output", { class: "readout" }, `${signed(logit)} in all`);
  const place = element("div", {
    class: "text", tabindex: "0", role: "group", "aria-label": "The text, shaded by word. The arrow keys go from word to word.",
  });
  const most = words.reduce((so, { share }) => Math.max(so, Math.abs(share)), Number.MIN_VALUE);
  const blocks = cut(text, words, units(text, words));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? shade(target.block, most) : fade(target.block);
  }, { root: place, rootMargin: "100% 0px" });
  for (const block of blocks) {
    block.place = element("div", { class: "block", dir: "auto" }, block.text);
    block.place.style.setProperty("--characters", block.text.length);
    block.place.block = block;
    place.append(block.place);
    seen.observe(block.place);
  }
  const say = (at) => readout.replaceChildren(userText(words[at].word), ` ${signed(words[at].share)}`);
  follow(place, blocks, words.length, most, say);
  return [
    element("div", { class: "legend" },
      element("h3", {}, "Each word’s share"),
      element("span", { class: "key-for" }, "for ", userText(label)),
      element("span", { class: "key-against" }, "against"),
      readout),
    place,
    element("p", { class: "hint" }, `The shares and the bias ${signed(bias)} add up to ${signed(logit)}, the network’s raw value for `, userText(label), "."),
  ];
}

/** The text in blocks: `{text, words, places, first}`, places as pairs of offsets within the block. */
function cut(text, words, places) {
  const blocks = [];
  let first = 0, begin = 0;
  while (begin < text.length || first < words.length) {
    let next = first + BLOCK, end = text.length;
    if (next < words.length) {
      const line = text.indexOf("\n", places[2 * next - 1]) + 1;
      const limit = Math.min(next + BLOCK, words.length - 1);
      end = line > 0 && line <= places[2 * limit] ? line : places[2 * next];
      while (next < words.length && places[2 * next] < end) next++;
    } else next = words.length;
    const own = places.subarray(2 * first, 2 * next).map((at) => at - begin);
    blocks.push({ text: text.slice(begin, end), words: words.slice(first, next), places: own, first });
    [first, begin] = [next, end];
  }
  return blocks;
}

/** Give each word of a block its element. */
function shade(block, most) {
  if (block.shaded) return;
  block.shaded = block.words.map(({ share }, at) => {
    const word = element("span", { class: share < 0 ? "against" : "for" }, block.text.slice(block.places[2 * at], block.places[2 * at + 1]));
    word.style.setProperty("--share", Math.abs(share) / most);
    word.at = block.first + at;
    return word;
  });
  const between = (at) => block.text.slice(at ? block.places[2 * at - 1] : 0, at < block.words.length ? block.places[2 * at] : undefined);
  block.place.replaceChildren(...block.shaded.flatMap((word, at) => [between(at), word]), between(block.words.length));
}

/** Take the elements of a block that is out of view away. */
function fade(block) {
  if (!block.shaded || block.shaded.some((word) => word.classList.contains("here"))) return;
  block.shaded = undefined;
  block.place.replaceChildren(block.text);
}

/** Say the word under the pointer, and the one that the arrow keys have come to. */
function follow(place, blocks, count, most, say) {
  let here;
  const go = (at) => {
    here?.classList.remove("here");
    const block = blocks.findLast(({ first }) => first <= at);
    shade(block, most);
    here = block.shaded[at - block.first];
    here.classList.add("here");
    here.scrollIntoView({ block: "nearest" });
    say(at);
  };
  place.addEventListener("pointerover", ({ target }) => target.at !== undefined && say(target.at));
  place.addEventListener("click", ({ target }) => target.at !== undefined && go(target.at));
  place.addEventListener("keydown", (event) => {
    const to = { ArrowRight: here ? here.at + 1 : 0, ArrowLeft: here ? here.at - 1 : 0, Home: 0, End: count - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    go(Math.min(Math.max(to, 0), count - 1));
  });
}
