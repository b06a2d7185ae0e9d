/**
 * A line chart over time, drawn as SVG; hovering shows the value at that time.
 *
 * @typedef {{at: number, value: number}} Point at: seconds since 1970
 */
import { h, s, setText } from "./dom.js";
import { time } from "./format.js";

const WIDTH = 300;
const HEIGHT = 60;
const HOUR = 3600;
/** Minimum length of the axis, in seconds. */
const SHORTEST = 300;
/** Seconds between two samples from which the line is broken, because none were taken. */
const GAP = 30;

export class Chart {
  element;

  #format;
  #least;
  /** @type {Point[]} */
  #points = [];
  #span = SHORTEST;
  #value = h("output");
  #when = h("span", { className: "soft" });
  #top = h("span", { className: "soft" });
  #from = h("span", { className: "soft" });
  #line = s("path", { class: "line" });
  #area = s("path", { class: "area" });
  #hair = s("line", { class: "hair", y1: 0, y2: HEIGHT, visibility: "hidden" });
  #plot = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, this.#area, this.#line, this.#hair);
  #label;
  /** The hovered position, as a share of the plot's width; null if none. @type {number | null} */
  #pointed = null;

  /**
   * @param {string} label
   * @param {(value: number) => string} format
   * @param {number} least minimum top of the axis, so that small values look small
   */
  constructor(label, format, least) {
    this.#label = label;
    this.#format = format;
    this.#least = least;
    this.element = h(
      "figure",
      { className: "chart panel" },
      h("figcaption", null, h("span", null, label), this.#when, this.#value),
      h("div", { className: "plot" }, this.#plot, this.#top),
      h("div", { className: "axis" }, this.#from, h("span", { className: "soft" }, "now")),
    );
    this.#plot.addEventListener("pointermove", (event) => this.#point(event));
    this.#plot.addEventListener("pointerleave", () => this.#point(null));
  }

  /** @param {Point[]} points oldest first */
  show(points) {
    this.#points = points;
    const [first, last] = [points[0], points.at(-1)];
    if (!last) return;
    this.#span = Math.min(HOUR, Math.max(SHORTEST, last.at - first.at));
    const shown = points.filter(({ at }) => at >= last.at - this.#span);
    const top = Math.max(this.#least, ...shown.map(({ value }) => value));
    const pieces = unbroken(shown).map((piece) => piece.map((point) => this.#place(point, last.at, top)));
    this.#line.setAttribute("d", pieces.map((piece) => `M${piece.map(([x, y]) => `${x},${y}`).join("L")}`).join(""));
    this.#area.setAttribute("d", pieces.map(area).join(""));
    setText(this.#top, this.#format(top));
    setText(this.#from, `${Math.round(this.#span / 60)} min ago`);
    this.#plot.setAttribute("aria-label", `${this.#label}: ${this.#format(last.value)} now, at most ${this.#format(top)}`);
    this.#read();
  }

  #place({ at, value }, now, top) {
    const x = WIDTH * (1 - (now - at) / this.#span);
    return [round(x), round(HEIGHT - 1 - (value / top) * (HEIGHT - 4))];
  }

  #point(event) {
    const box = this.#plot.getBoundingClientRect();
    this.#pointed = event && (event.clientX - box.left) / box.width;
    this.#read();
  }

  /** Show the last value, or the hovered one. */
  #read() {
    const last = this.#points.at(-1);
    if (!last) return;
    const pointed = this.#pointed;
    const wanted = pointed === null ? last.at : last.at - (1 - pointed) * this.#span;
    const distance = ({ at }) => Math.abs(at - wanted);
    const nearest = this.#points.reduce((best, point) => (distance(point) < distance(best) ? point : best), last);
    setText(this.#value, this.#format(nearest.value));
    setText(this.#when, pointed === null ? "" : time(nearest.at));
    const x = WIDTH * (1 - (last.at - nearest.at) / this.#span);
    this.#hair.setAttribute("x1", String(x));
    this.#hair.setAttribute("x2", String(x));
    this.#hair.setAttribute("visibility", pointed === null ? "hidden" : "visible");
  }
}

function unbroken(points) {
  /** @type {Point[][]} */
  const pieces = [];
  for (const point of points) {
    const piece = pieces.at(-1);
    if (piece && point.at - piece[piece.length - 1].at < GAP) piece.push(point);
    else pieces.push([point]);
  }
  return pieces;
}

function area(piece) {
  const line = piece.map(([x, y]) => `${x},${y}`).join("L");
  return `M${piece[0][0]},${HEIGHT}L${line}L${piece.at(-1)[0]},${HEIGHT}Z`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}
