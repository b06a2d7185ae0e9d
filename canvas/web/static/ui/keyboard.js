/**
 * The keyboard: shortcuts everywhere, and drawing without a pointer while the board has the focus.
 *
 * On the board, arrow keys move a cell; Enter or Space paints it, and holding either while moving draws. Elsewhere arrow
 * keys move the view, as W A S D always do.
 *
 * A shortcut is the letter on the key. Where the layout has no such letter (Cyrillic, Greek, an input method), it is the
 * key in the letter's place on a US keyboard. W A S D are a place on every layout.
 *
 * @typedef {object} Actions
 * @property {(dx: number, dy: number) => void} pan in screen pixels
 * @property {(direction: 1 | -1) => void} zoom
 * @property {() => void} fit
 * @property {(dx: number, dy: number) => void} moveCell
 * @property {() => boolean} hasCell whether the keyboard's cell is on the board
 * @property {() => void} penDown
 * @property {() => void} penUp
 * @property {(held: boolean) => void} grab space is held: the pointer moves the view
 * @property {() => void} escape
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {Record<string, () => void>} shortcuts by lower-case key
 */

const ARROWS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
const WASD = { KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1] };
const ZOOM = { "+": 1, "=": 1, "-": -1, "_": -1 };
const PAN_STEP = 60;
const LEAP = 10;
/** The character that a US keyboard has on a key. */
const US = { Space: " ", Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]" };

/**
 * The key that the user means: an ASCII character or the name of a key, in lower case; "" if we have no use for it.
 * @param {{key: string, code: string, shiftKey: boolean}} event
 * @returns {string}
 */
export function keyOf({ key, code, shiftKey }) {
  if (/^[\x20-\x7e]$/.test(key)) return key.toLowerCase();
  const isForeign = [...key].length === 1 || ["Process", "Dead", "Unidentified"].includes(key);
  return isForeign ? usKey(code, shiftKey) : key.toLowerCase();
}

function usKey(code, shifted) {
  if (code.startsWith("Key")) return code.slice(3).toLowerCase();
  if (shifted) return code === "Slash" ? "?" : code === "Equal" ? "+" : "";
  return /^(?:Digit|Numpad)(\d)$/.exec(code)?.[1] ?? US[code] ?? code.toLowerCase();
}

export class Keyboard {
  #board;
  #actions;
  #penKey = "";

  /**
   * @param {HTMLElement} board
   * @param {Actions} actions
   */
  constructor(board, actions) {
    this.#board = board;
    this.#actions = actions;
    addEventListener("keydown", (event) => this.#down(event));
    addEventListener("keyup", (event) => this.#up(event));
    addEventListener("blur", () => this.#letGo());
    board.addEventListener("blur", () => this.#letGo());
  }

  #down(event) {
    if (event.defaultPrevented || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    if (event.altKey || event.getModifierState?.("AltGraph")) return this.#withAlt(key, event);
    if (event.ctrlKey || event.metaKey) return this.#withControl(key, event);
    if (this.#moveByArrow(key, event)) return event.preventDefault();
    if (key === "escape") return this.#actions.escape();
    if (key === " " || key === "enter") return this.#press(key, event);
    if (ZOOM[key]) return this.#done(event, () => this.#actions.zoom(ZOOM[key]));
    if (key === "0") return this.#done(event, this.#actions.fit);
    const shortcut = this.#shortcut(key, event);
    if (shortcut) return event.repeat || this.#done(event, shortcut);
    if (WASD[event.code]) this.#done(event, () => this.#pan(WASD[event.code]));
  }

  /** Many layouts type brackets with Alt, Option or AltGr (Windows: Ctrl and Alt); the rest is the system's. */
  #withAlt(key, event) {
    if ((key === "[" || key === "]") && !event.metaKey && !event.repeat) this.#done(event, this.#actions.shortcuts[key]);
  }

  #withControl(key, event) {
    if (key === "z") this.#done(event, event.shiftKey ? this.#actions.redo : this.#actions.undo);
    if (key === "y" && !event.shiftKey) this.#done(event, this.#actions.redo);
  }

  /** French and Czech keyboards have other characters on digit keys; one that is no shortcut stands for the digit. */
  #shortcut(key, { code, shiftKey }) {
    const { shortcuts } = this.#actions;
    return shortcuts[key] ?? (shiftKey ? undefined : shortcuts[/^Digit(\d)$/.exec(code)?.[1] ?? ""]);
  }

  #moveByArrow(key, event) {
    const arrow = ARROWS[key];
    if (!arrow) return false;
    if (event.target === this.#board) {
      const step = event.shiftKey ? LEAP : 1;
      this.#actions.moveCell(arrow[0] * step, arrow[1] * step);
      return true;
    }
    if (event.target.closest("[role=radiogroup]")) return false;
    this.#pan(arrow);
    return true;
  }

  #pan([dx, dy]) {
    this.#actions.pan(-dx * PAN_STEP, -dy * PAN_STEP);
  }

  #press(key, event) {
    const onBoard = event.target === this.#board;
    if (!onBoard && event.target !== document.body) return; // a button's own key
    event.preventDefault();
    if (event.repeat) return;
    if (onBoard && (key === "enter" || this.#actions.hasCell())) {
      this.#penKey = key;
      this.#actions.penDown();
    } else if (key === " ") this.#actions.grab(true);
  }

  #up(event) {
    const key = keyOf(event);
    if (key === this.#penKey) this.#liftPen();
    if (key === " ") this.#actions.grab(false);
  }

  #letGo() {
    this.#liftPen();
    this.#actions.grab(false);
  }

  #liftPen() {
    if (!this.#penKey) return;
    this.#penKey = "";
    this.#actions.penUp();
  }

  #done(event, action) {
    event.preventDefault();
    action();
  }
}

function isTyping(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target.isContentEditable;
}
