/**
 * The tools, and the one in hand.
 *
 * @typedef {"draw" | "erase" | "pick" | "hand"} Tool
 */

export class Toolbox {
  /** @type {Tool} */
  tool = "draw";
  /** Another tool was taken. */
  onchange = () => {};

  #buttons;
  #locked = false;
  /** The drawing tool to go back to from the eyedropper. @type {Tool} */
  #before = "draw";

  /** @param {HTMLElement} group buttons with a data-tool */
  constructor(group) {
    this.#buttons = [...group.querySelectorAll("[data-tool]")];
    for (const button of this.#buttons) button.addEventListener("click", () => this.take(button.dataset.tool));
    this.take("draw");
  }

  /** @param {Tool} tool */
  take(tool) {
    if (this.#locked) return;
    if (tool !== this.tool) this.#before = this.tool === "pick" ? "draw" : this.tool;
    this.tool = tool;
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.onchange();
  }

  /** Put the eyedropper away. */
  putBack() {
    this.take(this.#before === "hand" ? "hand" : "draw");
  }

  /**
   * Take all tools away but the hand, or give them back.
   * @param {boolean} locked
   */
  lock(locked) {
    if (locked === this.#locked) return;
    this.#locked = false;
    this.take(locked ? "hand" : "draw");
    this.#locked = locked;
  }

  /**
   * Offer the eraser, or not.
   * @param {boolean} offered
   */
  offerErase(offered) {
    this.#buttons.find((button) => button.dataset.tool === "erase").hidden = !offered;
    if (!offered && this.tool === "erase") this.take("draw");
  }

  /** A colour was chosen, so the next thing is to draw with it. */
  readyToDraw() {
    if (this.tool === "erase" || this.tool === "pick") this.take("draw");
  }
}
