// Places of words, from the service's Unicode code points to the UTF-16 code units that a browser's strings are made of.

/** For each word in the order of the text its begin and its end, one behind the other. */
export function units(text, words) {
  const found = new Uint32Array(2 * words.length);
  let point = 0, unit = 0;
  const advance = (to) => {
    while (point < to) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point++;
    }
    return unit;
  };
  words.forEach(({ start, end }, at) => {
    found[2 * at] = advance(start);
    found[2 * at + 1] = advance(end);
  });
  return found;
}
