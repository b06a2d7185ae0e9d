/**
 * Short messages that disappear after a while. A message that is already visible is not repeated.
 */

import { setText } from "./dom.js";

const STAY = 4500;
const MAX_TOASTS = 3;

export class Toasts {
  #shelf;
  /** Text -> element, and the timer that removes it. @type {Map<string, {element: HTMLElement, timer: number}>} */
  #shown = new Map();

  /** @param {HTMLElement} shelf a live region */
  constructor(shelf) {
    this.#shelf = shelf;
  }

  /**
   * @param {string} text
   * @param {"note" | "warning"} [kind]
   */
  say(text, kind = "note") {
    const known = this.#shown.get(text);
    clearTimeout(known?.timer);
    const element = known?.element ?? this.#add(text, kind);
    this.#shown.set(text, { element, timer: setTimeout(() => this.#remove(text), STAY) });
    if (this.#shown.size > MAX_TOASTS) this.#remove(this.#shown.keys().next().value);
  }

  #add(text, kind) {
    const element = document.createElement("div");
    element.className = `toast ${kind}`;
    setText(element, text);
    element.addEventListener("click", () => this.#remove(text));
    this.#shelf.append(element);
    return element;
  }

  #remove(text) {
    const toast = this.#shown.get(text);
    if (!toast) return;
    clearTimeout(toast.timer);
    this.#shown.delete(text);
    toast.element.classList.add("leaving");
    setTimeout(() => toast.element.remove(), 200);
  }
}
