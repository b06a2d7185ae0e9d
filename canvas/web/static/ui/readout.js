/**
 * The readout of the cell in focus: its coordinates, colour and painter. Read out if the keyboard moves the cell.
 */
import { hex } from "../paint/color.js";
import { nameOf } from "../paint/palette.js";

const SPEAK_DELAY = 250;

export class Readout {
  #chip = /** @type {HTMLElement} */ (document.getElementById("readout"));
  #text = /** @type {HTMLElement} */ (document.getElementById("readout-text"));
  #color = /** @type {HTMLElement} */ (document.getElementById("readout-color"));
  #author = /** @type {HTMLElement} */ (document.getElementById("readout-author"));
  #announcer = /** @type {HTMLElement} */ (document.getElementById("cell-announcer"));
  #speakTimer = 0;

  /**
   * @param {{x: number, y: number} | null} cell
   * @param {import("../view/picture.js").Picture} picture
   * @param {string} author who painted the cell and when; empty if unknown
   * @param {boolean} [aloud]
   */
  show(cell, picture, author, aloud = false) {
    const inside = cell && picture.ready && picture.contains(cell.x, cell.y);
    this.#chip.classList.toggle("idle", !inside);
    if (!inside) {
      this.#text.textContent = picture.ready ? `${picture.width} × ${picture.height}` : "";
      return;
    }
    const color = hex(picture.at(cell.x, cell.y));
    const words = `${cell.x}, ${cell.y}`;
    this.#text.textContent = words;
    this.#color.textContent = color;
    this.#author.textContent = author;
    this.#chip.style.setProperty("--color", color);
    if (!aloud) return;
    clearTimeout(this.#speakTimer);
    this.#speakTimer = setTimeout(() => (this.#announcer.textContent = [words, nameOf(color), author].filter(Boolean).join(", ")), SPEAK_DELAY);
  }
}
