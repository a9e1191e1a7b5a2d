// Bytes → text: by a byte order mark, else by the chosen encoding, else UTF-8. A guess would be wrong silently.

const MARKS = { "utf-8": [0xef, 0xbb, 0xbf], "utf-16le": [0xff, 0xfe], "utf-16be": [0xfe, 0xff] };

/** The text without its byte order mark, and whether the mark was present. */
export function decode(bytes, name, encoding = "") {
  const marked = Object.keys(MARKS).find((mark) => MARKS[mark].every((byte, at) => bytes[at] === byte));
  const chosen = marked ?? (encoding || "utf-8");
  let text;
  try {
    text = new TextDecoder(chosen, { fatal: true }).decode(bytes);
  } catch {
    const decoded = new TextDecoder(chosen).decode(bytes).split("\ufffd", 1)[0];
    throw new Error(`${name}, line ${decoded.split("\n").length}: a byte is not ${chosen.toUpperCase()}: choose the encoding of the file.`);
  }
  if (text.includes("\0")) throw new Error(`${name} has zero bytes, so it is no text, or UTF-16: choose the encoding of the file.`);
  return { text, marked: marked !== undefined };
}
