// Shades each word of a text by its attribution. A long text is split into blocks. Only visible blocks have an element
// for each word: a document of 100,000 words has one or two thousand at a time.
import { element, userText } from "./element.js";
import { signed } from "./answer.js";
import { units } from "./units.js";

const BLOCK_WORDS = 300;  // words; a block extends to the end of a line within as many words again

/** The text in a scrolled container, with a line for the word under the pointer or the arrow keys. */
export function shadedText(text, { scores: [{ label }], explanation }) {
  const { words, logit, bias } = explanation;
  const readout = element("output", { class: "readout" }, `${signed(logit)} in all`);
  const place = element("div", {
    class: "text", tabindex: "0", role: "group", "aria-label": "The text, shaded by word. The arrow keys move from word to word.",
  });
  const largest = words.reduce((maximum, { share }) => Math.max(maximum, Math.abs(share)), Number.MIN_VALUE);
  const blocks = splitBlocks(text, words, units(text, words));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? shade(target.block, largest) : unshade(target.block);
  }, { root: place, rootMargin: "100% 0px" });
  for (const block of blocks) {
    block.place = element("div", { class: "block", dir: "auto" }, block.text);
    block.place.style.setProperty("--characters", block.text.length);
    block.place.block = block;
    place.append(block.place);
    observer.observe(block.place);
  }
  const showWord = (at) => readout.replaceChildren(userText(words[at].word), ` ${signed(words[at].share)}`);
  follow(place, blocks, words.length, largest, showWord);
  return [
    element("div", { class: "legend" },
      element("h3", {}, "The attribution of each word"),
      element("span", { class: "key-for" }, "for ", userText(label)),
      element("span", { class: "key-against" }, "against"),
      readout),
    place,
    element("p", { class: "hint" }, `The attributions and the bias ${signed(bias)} add up to ${signed(logit)}, the network’s raw value for `, userText(label), "."),
  ];
}

/** The text in blocks `{text, words, places, first}`; places are pairs of offsets within the block. */
function splitBlocks(text, words, places) {
  const blocks = [];
  let first = 0, begin = 0;
  while (begin < text.length || first < words.length) {
    let next = first + BLOCK_WORDS, end = text.length;
    if (next < words.length) {
      const line = text.indexOf("\n", places[2 * next - 1]) + 1;
      const limit = Math.min(next + BLOCK_WORDS, words.length - 1);
      end = line > 0 && line <= places[2 * limit] ? line : places[2 * next];
      while (next < words.length && places[2 * next] < end) next++;
    } else next = words.length;
    const blockPlaces = places.subarray(2 * first, 2 * next).map((at) => at - begin);
    blocks.push({ text: text.slice(begin, end), words: words.slice(first, next), places: blockPlaces, first });
    [first, begin] = [next, end];
  }
  return blocks;
}

/** Create the elements of a block's words. */
function shade(block, largest) {
  if (block.shaded) return;
  block.shaded = block.words.map(({ share }, at) => {
    const word = element("span", { class: share < 0 ? "against" : "for" }, block.text.slice(block.places[2 * at], block.places[2 * at + 1]));
    word.style.setProperty("--share", Math.abs(share) / largest);
    word.at = block.first + at;
    return word;
  });
  const between = (at) => block.text.slice(at ? block.places[2 * at - 1] : 0, at < block.words.length ? block.places[2 * at] : undefined);
  block.place.replaceChildren(...block.shaded.flatMap((word, at) => [between(at), word]), between(block.words.length));
}

/** Remove the elements of a block that is out of view. */
function unshade(block) {
  if (!block.shaded || block.shaded.some((word) => word.classList.contains("here"))) return;
  block.shaded = undefined;
  block.place.replaceChildren(block.text);
}

/** Show the word under the pointer, or the one selected with the arrow keys. */
function follow(place, blocks, count, largest, showWord) {
  let current;
  const moveTo = (at) => {
    current?.classList.remove("here");
    const block = blocks.findLast(({ first }) => first <= at);
    shade(block, largest);
    current = block.shaded[at - block.first];
    current.classList.add("here");
    current.scrollIntoView({ block: "nearest" });
    showWord(at);
  };
  place.addEventListener("pointerover", ({ target }) => target.at !== undefined && showWord(target.at));
  place.addEventListener("click", ({ target }) => target.at !== undefined && moveTo(target.at));
  place.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current ? current.at + 1 : 0, ArrowLeft: current ? current.at - 1 : 0, Home: 0, End: count - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moveTo(Math.min(Math.max(to, 0), count - 1));
  });
}
