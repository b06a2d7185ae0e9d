/**
 * The canvas's pixels: what the server says, what the page shows, and a bitmap to draw from.
 *
 * Shown and confirmed differ only where own pixels wait for their acknowledgement (`pending.js`). Writes go to a
 * 32-bit buffer; `flush` uploads the rectangle they touched, once per frame.
 */

export class Picture {
  width = 0;
  height = 0;
  background = 0xffffffff;
  /** What to draw from. */
  bitmap = document.createElement("canvas");
  #context = this.bitmap.getContext("2d");
  #confirmed = new Uint32Array(0);
  #shown = new Uint32Array(0);
  /** @type {ImageData | null} */
  #image = null;
  #dirty = { left: Infinity, top: Infinity, right: -1, bottom: -1 };

  /** Whether a canvas has been loaded. */
  get ready() {
    return this.#image !== null;
  }

  /** Whether `flush` has something to upload. */
  get dirty() {
    return this.#dirty.right >= 0;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  contains(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /**
   * The packed colour the page shows.
   * @param {number} x
   * @param {number} y
   * @returns {number}
   */
  at(x, y) {
    return this.#shown[y * this.width + x];
  }

  /**
   * The packed colour the server has.
   * @param {number} index y * width + x
   * @returns {number}
   */
  confirmed(index) {
    return this.#confirmed[index];
  }

  /**
   * Take over a whole canvas. What was shown stays until the next frame draws all of the new one at once.
   * @param {{width: number, height: number, background: number}} shape
   * @param {Uint32Array} cells x, y, packed colour, ...
   */
  load({ width, height, background }, cells) {
    if (!this.#image || width !== this.width || height !== this.height) this.#resize(width, height);
    this.background = background;
    const confirmed = this.#confirmed;
    confirmed.fill(background);
    for (let i = 0; i < cells.length; i += 3) confirmed[cells[i + 1] * width + cells[i]] = cells[i + 2];
    this.#shown.set(confirmed);
    this.#dirty = { left: 0, top: 0, right: width - 1, bottom: height - 1 };
  }

  /**
   * The server's colour of a pixel changed.
   * @param {number} index
   * @param {number} color
   */
  confirm(index, color) {
    this.#confirmed[index] = color;
  }

  /**
   * Show a colour, whatever the server has.
   * @param {number} index
   * @param {number} color
   */
  show(index, color) {
    if (this.#shown[index] === color) return;
    this.#shown[index] = color;
    const x = index % this.width;
    const y = (index - x) / this.width;
    const dirty = this.#dirty;
    if (x < dirty.left) dirty.left = x;
    if (x > dirty.right) dirty.right = x;
    if (y < dirty.top) dirty.top = y;
    if (y > dirty.bottom) dirty.bottom = y;
  }

  /**
   * Upload what changed to the bitmap.
   * @returns {{left: number, top: number, right: number, bottom: number} | null} the cells, both ends included
   */
  flush() {
    if (!this.dirty) return null;
    const changed = this.#dirty;
    const { left, top, right, bottom } = changed;
    this.#context.putImageData(this.#image, 0, 0, left, top, right - left + 1, bottom - top + 1);
    this.#dirty = { left: Infinity, top: Infinity, right: -1, bottom: -1 };
    return changed;
  }

  #resize(width, height) {
    this.width = this.bitmap.width = width;
    this.height = this.bitmap.height = height;
    this.#image = new ImageData(width, height);
    this.#shown = new Uint32Array(this.#image.data.buffer);
    this.#confirmed = new Uint32Array(width * height);
  }
}
