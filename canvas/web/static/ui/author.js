/**
 * Shows who painted a cell, and when. It is requested once the pointer has rested on the cell for a while.
 */
import { hex } from "../paint/color.js";

/** Milliseconds that the pointer rests before the request: the server may have to read its whole history. */
const REST = 500;

/**
 * An age in words.
 * @param {number} seconds
 * @returns {string}
 */
export function ago(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

export class Author {
  /** The answer for the cell in focus; empty until it arrives. */
  text = "";
  /** Called when the answer has arrived. */
  onanswer = () => {};

  #name;
  #picture;
  #place = "";
  #timer = 0;

  /**
   * @param {import("../view/picture.js").Picture} picture
   * @param {(userId: string) => string} name the label of a user
   */
  constructor(picture, name) {
    this.#picture = picture;
    this.#name = name;
  }

  /**
   * Set the cell in focus. A cell that has changed its colour is requested again.
   * @param {{x: number, y: number} | null} cell
   */
  look(cell) {
    const color = cell && this.#colorOf(cell);
    const place = cell === null || color === null ? "" : `${cell.x},${cell.y},${color}`;
    if (place === this.#place) return;
    this.#place = place;
    this.text = "";
    clearTimeout(this.#timer);
    if (place) this.#wait(cell, color, place);
  }

  #wait(cell, color, place) {
    const isOurs = () => this.#picture.confirmed(cell.y * this.#picture.width + cell.x) !== color; // not yet the server's
    const ask = () => (isOurs() ? this.#wait(cell, color, place) : this.#ask(cell, hex(color), place));
    this.#timer = setTimeout(ask, REST);
  }

  /** The colour of a cell; null if the page does not know it. */
  #colorOf({ x, y }) {
    const picture = this.#picture;
    if (!picture.ready || !picture.contains(x, y) || !picture.knows(y * picture.width + x)) return null;
    return picture.at(x, y);
  }

  async #ask({ x, y }, color, place) {
    const answer = await fetch(`api/pixel?x=${x}&y=${y}&limit=1`).catch(() => null);
    if (!answer?.ok) return;
    const [last] = (await answer.json()).changes;
    if (place !== this.#place || last?.color !== color) return;
    const now = Date.parse(answer.headers.get("Date") ?? "") || Date.now(); // the server's clock, which wrote `at`
    const erased = color === hex(this.#picture.background) ? "erased by " : "";
    this.text = `${erased}${this.#name(last.user_id)}, ${ago(now / 1000 - last.at)}`;
    this.onanswer();
  }
}
