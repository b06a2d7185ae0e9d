/**
 * The tools, and the current one.
 *
 * @typedef {"draw" | "erase" | "pick" | "hand"} Tool
 */

export class Toolbox {
  /** @type {Tool} */
  tool = "draw";
  /** Called when the tool has changed. */
  onchange = () => {};

  #buttons;
  #locked = false;
  /** The tool to return to from the eyedropper. @type {Tool} */
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

  /** Return from the eyedropper to the hand, if that was the tool before, or else to drawing. */
  putBack() {
    this.take(this.#before === "hand" ? "hand" : "draw");
  }

  /**
   * Lock all tools but the hand, or unlock them.
   * @param {boolean} locked
   */
  lock(locked) {
    if (locked === this.#locked) return;
    this.#locked = false;
    this.take(locked ? "hand" : "draw");
    this.#locked = locked;
  }

  /**
   * Show or hide the eraser.
   * @param {boolean} offered
   */
  offerErase(offered) {
    this.#buttons.find((button) => button.dataset.tool === "erase").hidden = !offered;
    if (!offered && this.tool === "erase") this.take("draw");
  }

  /** A colour was chosen: switch from the eraser or the eyedropper to drawing. */
  readyToDraw() {
    if (this.tool === "erase" || this.tool === "pick") this.take("draw");
  }
}
