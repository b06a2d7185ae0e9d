/**
 * A field for a rectangle: typed as X,Y,WIDTH,HEIGHT, or drawn on a picture.
 */
import { ROOT } from "./api.js";
import { h, setText } from "./dom.js";

export class AreaField {
  element;

  #field;
  #input;
  #picture = h("div", { className: "area", hidden: true });
  #box = h("i");
  #toggle = h("button", { type: "button", className: "button" }, "Draw it");
  /** Where the current drag began, in the units of the area; null without a drag. @type {[number, number] | null} */
  #from = null;

  /** @param {{picture: string, width: number, height: number}} field @param {HTMLInputElement} input */
  constructor(field, input) {
    this.#field = field;
    this.#input = input;
    this.#toggle.addEventListener("click", () => this.#show(this.#picture.hidden));
    this.#picture.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#picture.addEventListener("pointermove", (event) => this.#from && this.#drag(event));
    this.#picture.addEventListener("pointerup", () => this.#end());
    this.#picture.addEventListener("pointercancel", () => this.#end());
    input.addEventListener("input", () => this.#place());
    this.element = h("div", { className: "stack" }, h("div", { className: "line" }, input, this.#toggle), this.#picture);
  }

  #show(isOpen) {
    this.#picture.hidden = !isOpen;
    setText(this.#toggle, isOpen ? "Hide the picture" : "Draw it");
    if (!isOpen) return;
    const { picture, width, height } = this.#field;
    const image = h("img", { src: `${ROOT}${picture}`, alt: "Draw a rectangle here", draggable: false });
    this.#picture.style.setProperty("--shape", `${width} / ${height}`);
    this.#picture.replaceChildren(image, this.#box);
    this.#place();
  }

  #begin(event) {
    event.preventDefault();
    this.#picture.setPointerCapture(event.pointerId);
    this.#from = this.#at(event);
    this.#drag(event);
  }

  #drag(event) {
    const [from, to] = [/** @type {[number, number]} */ (this.#from), this.#at(event)];
    const [x, y] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
    this.#input.value = [x, y, Math.abs(to[0] - from[0]) + 1, Math.abs(to[1] - from[1]) + 1].join(",");
    this.#place();
  }

  #end() {
    if (this.#from === null) return;
    this.#from = null;
    this.#input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #at({ clientX, clientY }) {
    const { width, height } = this.#field;
    const box = this.#picture.getBoundingClientRect();
    const within = (part, size) => Math.max(0, Math.min(size - 1, Math.floor(part * size)));
    return /** @type {[number, number]} */ ([
      within((clientX - box.left) / box.width, width),
      within((clientY - box.top) / box.height, height),
    ]);
  }

  #place() {
    const { width, height } = this.#field;
    const numbers = /^(\d+),(\d+),(\d+),(\d+)$/.exec(this.#input.value.replace(/\s/g, ""));
    this.#box.hidden = numbers === null;
    if (numbers === null) return;
    const [x, y, w, h] = numbers.slice(1).map(Number);
    const share = { left: x / width, top: y / height, width: w / width, height: h / height };
    for (const [name, part] of Object.entries(share)) this.#box.style.setProperty(name, `${100 * part}%`);
  }
}
