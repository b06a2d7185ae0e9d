/**
 * The colours to choose from, and the chosen one.
 */
import { describe, hex, isLight, pack } from "./color.js";

/** Two rows, in columns of related colours: the darker above, the lighter below. @type {[string, string][]} */
const COLORS = [
  ["#14171A", "Ink"], ["#FFFFFF", "White"],
  ["#565D66", "Slate"], ["#B7BDC4", "Silver"],
  ["#5B3A29", "Umber"], ["#A26B42", "Bark"],
  ["#D6976A", "Clay"], ["#FFD9B0", "Sand"],
  ["#8C1D34", "Wine"], ["#E5383B", "Red"],
  ["#F4691E", "Orange"], ["#FFA552", "Apricot"],
  ["#F5B800", "Amber"], ["#FFE566", "Lemon"],
  ["#4F8A10", "Leaf"], ["#A9D94B", "Lime"],
  ["#17663A", "Forest"], ["#34B865", "Green"],
  ["#0A6B73", "Lagoon"], ["#1FC1B0", "Turquoise"],
  ["#136FC4", "Blue"], ["#5CBDF7", "Sky"],
  ["#1D2B6B", "Navy"], ["#3F63EA", "Cobalt"],
  ["#4A2FA8", "Indigo"], ["#8F86F7", "Periwinkle"],
  ["#7A1FA0", "Purple"], ["#C26BEB", "Orchid"],
  ["#B3146F", "Magenta"], ["#F25CA7", "Pink"],
  ["#F08A9B", "Rose"], ["#FFC7D6", "Blush"],
];
const STORED = "canopy.color";
/** [number of colours, rows]: up to that many colours are laid out in that many rows; wide rows scroll. */
const ROWS = [[8, 1], [40, 2], [72, 3], [Infinity, 4]];
const FIRST = "#E5383B";

const NAMES = new Map(COLORS);

/**
 * The name of a colour.
 * @param {string} text "#RRGGBB"
 * @returns {string}
 */
export function nameOf(text) {
  return NAMES.get(text) ?? `${describe(pack(text))} ${text}`;
}

export class Palette {
  /** The colour to paint in, packed. */
  color = pack(recall());
  /** Called when the user chose a colour. */
  onchoose = () => {};

  /** The colour the user chose last, on this canvas or another, whether or not this one offers it. */
  #wish = this.color;
  #before = pack(COLORS[0][0]);
  #group;
  /** @type {HTMLButtonElement[]} */
  #swatches = [];
  /** The colours of the swatches, as text. @type {string[]} */
  #offered = [];
  /** The elements that may scroll sideways: the colours, or the whole dock. @type {HTMLElement[]} */
  #scrollers;
  /** Whether only the offered colours may be used. */
  #closed = false;
  #current = /** @type {HTMLElement} */ (document.getElementById("current-color"));
  #custom = /** @type {HTMLInputElement} */ (document.getElementById("custom-color"));
  #well = /** @type {HTMLElement} */ (this.#custom.parentElement);

  /** @param {HTMLElement} group where the swatches go */
  constructor(group) {
    this.#group = group;
    this.offer(null);
    group.addEventListener("keydown", (event) => this.#arrow(event));
    const parent = /** @type {HTMLElement} */ (group.parentElement);
    this.#scrollers = [parent, /** @type {HTMLElement} */ (parent.parentElement)];
    this.#scrollers[1].addEventListener("wheel", (event) => this.#scroll(event), { passive: false });
    this.#custom.addEventListener("click", () => (this.#before = this.color));
    this.#custom.addEventListener("input", () => this.#select(pack(this.#custom.value.toUpperCase())));
    this.#current.addEventListener("click", () => this.swap());
  }

  /**
   * Offer these colours and no others.
   * @param {number[] | null} colors packed; null for the default palette plus any custom colour
   */
  offer(colors) {
    this.#closed = colors !== null;
    this.#offered = colors?.map(hex) ?? [...NAMES.keys()];
    this.#swatches = this.#offered.map((color, at) => this.#swatch(color, nameOf(color), at));
    this.#group.replaceChildren(...this.#swatches);
    this.#group.style.setProperty("--rows", String(ROWS.find(([count]) => this.#offered.length <= count)?.[1]));
    this.#well.hidden = this.#closed;
    if (colors && !colors.includes(this.#before)) this.#before = colors[0];
    this.#show(!colors || colors.includes(this.#wish) ? this.#wish : colors[0]);
  }

  /**
   * Paint in this colour from now on.
   * @param {number} color packed
   */
  choose(color) {
    if (this.#closed && !this.#offered.includes(hex(color))) return;
    if (color !== this.color) this.#before = this.color;
    this.#select(color);
  }

  /** Switch to the previous colour. */
  swap() {
    this.choose(this.#before);
  }

  /** @param {number} number 1 to 9 */
  chooseNth(number) {
    if (number <= this.#offered.length) this.choose(pack(this.#offered[number - 1]));
  }

  /**
   * Choose the next or previous colour of the palette.
   * @param {1 | -1} step
   */
  step(step) {
    const at = this.#selected();
    this.choose(pack(/** @type {string} */ (this.#offered.at((Math.max(0, at) + step) % this.#offered.length))));
  }

  openCustom() {
    if (!this.#closed) this.#custom.click();
  }

  #swatch(color, name, at) {
    const swatch = document.createElement("button");
    swatch.type = "button";
    swatch.className = "swatch";
    swatch.setAttribute("role", "radio");
    swatch.setAttribute("aria-label", name);
    swatch.dataset.color = color;
    swatch.title = at < 9 ? `${name} (${at + 1})` : name;
    swatch.style.setProperty("--color", color);
    swatch.classList.toggle("light", isLight(pack(color)));
    swatch.addEventListener("click", () => this.choose(pack(color)));
    return swatch;
  }

  #selected() {
    return this.#offered.indexOf(hex(this.color));
  }

  #select(color) {
    this.#wish = color;
    remember(hex(color));
    this.#show(color);
    this.#swatches[this.#selected()]?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.onchoose();
  }

  #show(color) {
    this.color = color;
    const at = this.#selected();
    this.#swatches.forEach((swatch, i) => {
      swatch.setAttribute("aria-checked", String(i === at));
      swatch.tabIndex = i === Math.max(0, at) ? 0 : -1;
    });
    const text = hex(color);
    this.#custom.value = text.toLowerCase();
    const well = this.#well;
    well.classList.toggle("chosen", at < 0);
    well.classList.toggle("light", isLight(color));
    if (at < 0) well.style.setProperty("--color", text);
    this.#current.style.setProperty("--color", text);
    this.#current.style.setProperty("--before", hex(this.#before));
    this.#current.setAttribute("aria-label", `Colour ${nameOf(text)}. Switch to the previous colour`);
  }

  /** Scroll sideways by the wheel: a mouse has no other way along a row that is too wide. */
  #scroll(event) {
    const scroller = this.#scrollers.find((each) => each.scrollWidth > each.clientWidth);
    if (!scroller || event.ctrlKey || event.deltaX) return;
    event.preventDefault();
    scroller.scrollLeft += event.deltaY;
  }

  /** Arrow keys move within the group, as in a radio group. It is filled by column, so left and right skip a column. */
  #arrow(event) {
    const rows = getComputedStyle(this.#group).gridTemplateRows.split(" ").length;
    const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -rows, ArrowRight: rows }[event.key];
    if (!step) return;
    event.preventDefault();
    const from = Math.max(0, this.#swatches.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement)));
    const { length } = this.#offered;
    const to = (from + step + length) % length;
    this.choose(pack(this.#offered[to]));
    this.#swatches[to].focus({ preventScroll: true });
  }
}

// localStorage throws in a browser that blocks it.

function recall() {
  try {
    const text = localStorage.getItem(STORED) ?? "";
    return /^#[0-9A-F]{6}$/.test(text) ? text : FIRST;
  } catch {
    return FIRST;
  }
}

function remember(text) {
  try {
    localStorage.setItem(STORED, text);
  } catch {
    // The value then lasts only as long as the page.
  }
}
