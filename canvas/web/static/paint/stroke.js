/**
 * Strokes: lines without gaps, with undo and redo.
 */

const MAX_UNDO = 100;
/** Of a pixel's colours [before, painted]: `from` must still be there, and `to` is painted. */
const UNDO = { from: 1, to: 0 };
const REDO = { from: 0, to: 1 };

/**
 * Visit every cell of a line, both ends included (Bresenham).
 * @param {{x: number, y: number}} from
 * @param {{x: number, y: number}} to
 * @param {(x: number, y: number) => void} visit
 */
export function line(from, to, visit) {
  let { x, y } = from;
  const dx = Math.abs(to.x - x);
  const dy = -Math.abs(to.y - y);
  const stepX = x < to.x ? 1 : -1;
  const stepY = y < to.y ? 1 : -1;
  let error = dx + dy;
  for (;;) {
    visit(x, y);
    if (x === to.x && y === to.y) return;
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += stepX;
    }
    if (twice <= dx) {
      error += dx;
      y += stepY;
    }
  }
}

/** Paints strokes into a session and remembers what they covered. */
export class Strokes {
  #picture;
  #paint;
  #mustWait;
  /** Strokes: index -> the colour before and the colour painted. @type {Map<number, [number, number]>[]} */
  #done = [];
  /** Strokes that were undone since the last new one. @type {Map<number, [number, number]>[]} */
  #undone = [];
  /** @type {Map<number, [number, number]> | null} */
  #current = null;
  /** @type {{x: number, y: number} | null} */
  #last = null;
  #color = 0;

  /**
   * @param {import("../view/picture.js").Picture} picture
   * @param {(x: number, y: number, color: number) => boolean} paint
   * @param {() => boolean} mustWait whether no pixel may be painted yet
   */
  constructor(picture, paint, mustWait) {
    this.#picture = picture;
    this.#paint = paint;
    this.#mustWait = mustWait;
  }

  get active() {
    return this.#current !== null;
  }

  /**
   * Put the pen down.
   * @param {{x: number, y: number}} cell
   * @param {number} color
   * @param {boolean} [straight] draw a line from where the last stroke ended
   */
  begin(cell, color, straight = false) {
    this.#color = color;
    this.#current = new Map();
    if (!straight || !this.#last) this.#last = cell;
    this.to(cell);
  }

  /** @param {{x: number, y: number}} cell */
  to(cell) {
    if (!this.#current) return;
    line(this.#last ?? cell, cell, (x, y) => this.#dab(x, y));
    this.#last = cell;
  }

  /**
   * Go on from another cell without drawing a line to it: the view has moved under the pointer.
   * @param {{x: number, y: number}} cell
   */
  jump(cell) {
    if (this.#current) this.#last = cell;
  }

  end() {
    if (this.#current?.size) {
      this.#done.push(this.#current);
      this.#undone = [];
    }
    if (this.#done.length > MAX_UNDO) this.#done.shift();
    this.#current = null;
  }

  /** Take back the current stroke, which began by mistake. */
  cancel() {
    if (this.#current) this.#repaint(this.#current, UNDO);
    this.#current = null;
  }

  /**
   * Take back the current stroke, or the last one, except where it has been painted over. Under a cooldown, take back
   * one pixel of it.
   * @returns {boolean} whether there was a stroke
   */
  undo() {
    this.end();
    return this.#shift(this.#done, this.#undone, UNDO);
  }

  /**
   * Paint the stroke that was undone last again, except where it has been painted over since.
   * @returns {boolean} whether there was a stroke
   */
  redo() {
    return !this.active && this.#shift(this.#undone, this.#done, REDO);
  }

  /** Forget all strokes: the canvas they were on is gone. */
  clear() {
    this.#done = [];
    this.#undone = [];
    this.#current = this.#last = null;
  }

  #dab(x, y) {
    if (!this.#picture.contains(x, y)) return;
    const before = this.#picture.at(x, y);
    const index = y * this.#picture.width + x;
    if (!this.#paint(x, y, this.#color)) return;
    this.#current?.set(index, [this.#current.get(index)?.[0] ?? before, this.#color]);
  }

  #shift(from, to, way) {
    const stroke = from.pop();
    if (!stroke) return false;
    const rest = this.#repaint(stroke, way);
    for (const index of rest.keys()) stroke.delete(index);
    if (rest.size) from.push(rest);
    if (stroke.size) to.push(stroke);
    return true;
  }

  /** @returns {Map<number, [number, number]>} the pixels that must wait for the cooldown */
  #repaint(stroke, { from, to }) {
    const { width } = this.#picture;
    const rest = new Map();
    for (const [index, colors] of stroke) {
      const x = index % width;
      const y = (index - x) / width;
      if (this.#picture.at(x, y) !== colors[from]) continue;
      if (!this.#paint(x, y, colors[to]) && this.#mustWait()) rest.set(index, colors);
    }
    return rest;
  }
}
