/**
 * The keyboard: shortcuts everywhere, and drawing without a pointer while the board has the focus.
 *
 * On the board, arrow keys move a cell; Enter or Space paints it, and holding either while moving draws. Elsewhere arrow
 * keys move the view, as W A S D always do.
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
 * @property {Record<string, () => void>} shortcuts by lower-case key
 */

const ARROWS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
const WASD = { a: [-1, 0], d: [1, 0], w: [0, -1], s: [0, 1] };
const PAN_STEP = 60;
const LEAP = 10;

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
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z" && !event.shiftKey) this.#done(event, this.#actions.undo);
      return;
    }
    if (event.altKey) return;
    if (this.#move(key, event)) return event.preventDefault();
    if (key === "escape") return this.#actions.escape();
    if (key === " " || key === "enter") return this.#press(key, event);
    const zoom = { "+": 1, "=": 1, "-": -1, "_": -1 }[key];
    if (zoom) return this.#done(event, () => this.#actions.zoom(zoom));
    if (key === "0") return this.#done(event, this.#actions.fit);
    const shortcut = this.#actions.shortcuts[key];
    if (shortcut && !event.repeat) this.#done(event, shortcut);
  }

  #move(key, event) {
    const onBoard = event.target === this.#board;
    const arrow = ARROWS[key];
    if (arrow && onBoard) {
      const step = event.shiftKey ? LEAP : 1;
      this.#actions.moveCell(arrow[0] * step, arrow[1] * step);
      return true;
    }
    if (arrow && event.target.closest("[role=radiogroup]")) return false;
    const direction = arrow ?? WASD[key];
    if (direction) this.#actions.pan(-direction[0] * PAN_STEP, -direction[1] * PAN_STEP);
    return Boolean(direction);
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
    const key = event.key.toLowerCase();
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
