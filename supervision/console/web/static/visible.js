/**
 * Pure. Makes untrusted text visible: characters that are invisible, or change the writing direction of what follows, are
 * shown as escapes, as in the terminal.
 */

/** Controls, formats, surrogates, unassigned code points, separators but the space, and letters that are drawn as nothing. */
// eslint-disable-next-line no-misleading-character-class -- each of them stands for itself
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc]|(?! )\p{Zs}/gu;
/** Kept between non-ASCII characters, where scripts and emoji need them. */
const JOINERS = "\u200c\u200d";

/**
 * @param {string} text
 * @param {boolean} [isBlock] keep line breaks and tabs
 * @returns {string}
 */
export function visible(text, isBlock = false) {
  return text.replace(HIDDEN, (character, at) => {
    if (isBlock && (character === "\n" || character === "\t")) return character;
    if (JOINERS.includes(character) && joins(text, at)) return character;
    return escaped(character.codePointAt(0));
  });
}

function joins(text, at) {
  const [before, after] = [text.charAt(at - 1), text.charAt(at + 1)];
  return [before, after].every((each) => each > "\x7f" && (isHalf(each) || !each.match(HIDDEN)));
}

/** Whether this is a surrogate: half of a character beyond U+FFFF, such as an emoji. */
function isHalf(unit) {
  return unit >= "\ud800" && unit <= "\udfff";
}

function escaped(code) {
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return { 9: "\\t", 10: "\\n", 13: "\\r" }[code] ?? `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}
