/**
 * The colours to choose from, and the chosen one.
 */
import { hex, isLight, pack } from "./color.js";

/** Two rows, in columns of kindred colours: the deeper above, the lighter below. */
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
const FIRST = "#E5383B";

export class Palette {
  /** The chosen colour, packed. */
  color = pack(COLORS[0][0]);
  /** The user chose a colour. */
  onchoose = () => {};

  #before = pack(COLORS[0][0]);
  #swatches;
  #current = /** @type {HTMLElement} */ (document.getElementById("current-color"));
  #custom = /** @type {HTMLInputElement} */ (document.getElementById("custom-color"));

  /** @param {HTMLElement} group where the swatches go */
  constructor(group) {
    this.#swatches = COLORS.map(([color, name], at) => this.#swatch(color, name, at));
    group.append(...this.#swatches);
    group.addEventListener("keydown", (event) => this.#arrow(event));
    this.#custom.addEventListener("click", () => (this.#before = this.color));
    this.#custom.addEventListener("input", () => this.#mix(pack(this.#custom.value.toUpperCase())));
    this.#current.addEventListener("click", () => this.swap());
    this.#select(pack(recall()));
  }

  /**
   * Paint in this colour from now on.
   * @param {number} color packed
   */
  choose(color) {
    if (color !== this.color) this.#before = this.color;
    this.#select(color);
    this.onchoose();
  }

  /** The colour before this one. */
  swap() {
    this.choose(this.#before);
  }

  /** @param {number} number 1 to 9 */
  chooseNth(number) {
    this.choose(pack(COLORS[number - 1][0]));
  }

  /**
   * The next or previous colour of the palette.
   * @param {1 | -1} step
   */
  step(step) {
    const at = this.#selected();
    this.choose(pack(COLORS[(Math.max(0, at) + step + COLORS.length) % COLORS.length][0]));
  }

  openCustom() {
    this.#custom.click();
  }

  /** Every colour on the way through the system's picker; the one before stays the one before it was opened. */
  #mix(color) {
    this.#select(color);
    this.onchoose();
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
    return COLORS.findIndex(([color]) => pack(color) === this.color);
  }

  #select(color) {
    this.color = color;
    const at = this.#selected();
    this.#swatches.forEach((swatch, i) => {
      swatch.setAttribute("aria-checked", String(i === at));
      swatch.tabIndex = i === Math.max(0, at) ? 0 : -1;
    });
    const text = hex(color);
    this.#custom.value = text.toLowerCase();
    const well = this.#custom.parentElement;
    well.classList.toggle("chosen", at < 0);
    well.classList.toggle("light", isLight(color));
    if (at < 0) well.style.setProperty("--color", text);
    this.#current.style.setProperty("--color", text);
    this.#current.style.setProperty("--before", hex(this.#before));
    this.#current.setAttribute("aria-label", `Colour ${COLORS[at]?.[1] ?? text}. Switch to the previous colour`);
    remember(text);
    if (at >= 0) this.#bringIntoSight(this.#swatches[at]);
  }

  /** On a narrow screen the palette scrolls. */
  #bringIntoSight(swatch) {
    const scroller = swatch.parentElement?.parentElement;
    if (!scroller || scroller.scrollWidth <= scroller.clientWidth) return;
    const [left, width] = [swatch.offsetLeft - scroller.offsetLeft, scroller.clientWidth];
    const hidden = left < scroller.scrollLeft || left + swatch.offsetWidth > scroller.scrollLeft + width - 28;
    if (hidden) scroller.scrollTo({ left: left - width / 2 });
  }

  /** Arrow keys within the group, as a radio group does; two rows, so sideways is two steps. */
  #arrow(event) {
    const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -2, ArrowRight: 2 }[event.key];
    if (!step) return;
    event.preventDefault();
    const from = Math.max(0, this.#swatches.indexOf(document.activeElement));
    const to = (from + step + COLORS.length) % COLORS.length;
    this.choose(pack(COLORS[to][0]));
    this.#swatches[to].focus({ preventScroll: true });
  }
}

// A browser that keeps nothing for us throws here.

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
    // It lasts as long as the page does.
  }
}
