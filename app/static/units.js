// Converts places of words from Unicode code points (the service) to UTF-16 code units (JavaScript strings).

/** The begin and the end of each word, in the order of the text, in one array. */
export function units(text, words) {
  const places = new Uint32Array(2 * words.length);
  let point = 0, unit = 0;
  const advance = (to) => {
    while (point < to) {
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
      point++;
    }
    return unit;
  };
  words.forEach(({ start, end }, at) => {
    places[2 * at] = advance(start);
    places[2 * at + 1] = advance(end);
  });
  return places;
}
