/**
 * The canvas's pixels: what the server has, what the page shows, and bitmaps to draw from.
 *
 * Shown and confirmed colours differ only where own pixels are pending (`pending.js`). Colours are stored in tiles, so
 * that a large canvas takes memory only for the subscribed part. Writes go to 32-bit buffers; `flush` uploads the
 * rectangles they touched, once per frame.
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Cells both ends included
 * @typedef {{x: number, y: number, bitmap: HTMLCanvasElement, context: CanvasRenderingContext2D, image: ImageData,
 *   shown: Uint32Array, confirmed: Uint32Array, dirty: Cells}} Tile x, y: its corner on the canvas
 */
import { TILE } from "../net/protocol.js";

const nothing = () => ({ left: Infinity, top: Infinity, right: -1, bottom: -1 });

export class Picture {
  width = 0;
  height = 0;
  background = 0xffffffff;
  /** The area that is known; the rest has the background. @type {import("../net/protocol.js").Area} */
  area = { x: 0, y: 0, width: 0, height: 0 };
  /** A low-resolution overview of a large canvas, shown where the canvas is not known. @type {ImageBitmap | null} */
  overview = null;
  /** Called when a bitmap was lost and must be drawn again. */
  onlost = () => {};
  /** @type {Map<number, Tile>} */
  #tiles = new Map();
  /** Tiles to upload. @type {Set<Tile>} */
  #dirty = new Set();
  #columns = 0;

  /** Whether a canvas has been loaded. */
  get ready() {
    return this.area.width > 0;
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
    return this.#tile(x, y)?.shown[within(x, y)] ?? this.background;
  }

  /**
   * The packed colour the server has.
   * @param {number} index y * width + x
   * @returns {number}
   */
  confirmed(index) {
    const x = index % this.width;
    const y = (index - x) / this.width;
    return this.#tile(x, y)?.confirmed[within(x, y)] ?? this.background;
  }

  /**
   * Start over with another canvas.
   * @param {{width: number, height: number, background: number}} shape
   */
  reset({ width, height, background }) {
    this.#tiles.clear();
    this.#dirty.clear();
    this.width = width;
    this.height = height;
    this.background = background;
    this.overview = null;
    this.area = { x: 0, y: 0, width: 0, height: 0 };
    this.#columns = Math.ceil(width / TILE);
  }

  /**
   * Replace the known area. The old picture stays until the next frame draws all of the new one at once.
   * @param {import("../net/protocol.js").Area} area
   * @param {Map<number, Uint32Array | null>} tiles colours by the tile's number, null for background
   * @param {boolean} whole whether the other tiles are background; if not, they are unchanged
   */
  load(area, tiles, whole) {
    this.area = area;
    for (const [number, tile] of this.#tiles) {
      if (!touches(area, tile)) this.#forget(number, tile);
      else if (whole && !tiles.has(number)) this.#fill(tile, null);
    }
    for (const [number, colors] of tiles) this.#fill(this.#tiles.get(number) ?? this.#create(number), colors);
  }

  /**
   * Whether a pixel is in the known area.
   * @param {number} index
   */
  knows(index) {
    const x = index % this.width;
    const y = (index - x) / this.width;
    const { area } = this;
    return x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
  }

  /**
   * The server's colour of a known pixel changed.
   * @param {number} index
   * @param {number} color
   */
  confirm(index, color) {
    const x = index % this.width;
    const y = (index - x) / this.width;
    this.#paintable(x, y).confirmed[within(x, y)] = color;
  }

  /**
   * Show a known pixel in a colour, whatever the server has.
   * @param {number} index
   * @param {number} color
   */
  show(index, color) {
    const x = index % this.width;
    const y = (index - x) / this.width;
    const tile = this.#paintable(x, y);
    const at = within(x, y);
    if (tile.shown[at] === color) return;
    tile.shown[at] = color;
    const { dirty } = tile;
    const [left, top] = [x - tile.x, y - tile.y];
    if (left < dirty.left) dirty.left = left;
    if (left > dirty.right) dirty.right = left;
    if (top < dirty.top) dirty.top = top;
    if (top > dirty.bottom) dirty.bottom = top;
    this.#dirty.add(tile);
  }

  /**
   * Upload changed pixels to the bitmaps.
   * @returns {Cells | null} the rectangle of changed cells
   */
  flush() {
    if (!this.#dirty.size) return null;
    const changed = nothing();
    for (const tile of this.#dirty) {
      const { x, y, dirty } = tile;
      const { left, top, right, bottom } = dirty;
      tile.context.putImageData(tile.image, 0, 0, left, top, right - left + 1, bottom - top + 1);
      tile.dirty = nothing();
      changed.left = Math.min(changed.left, x + left);
      changed.top = Math.min(changed.top, y + top);
      changed.right = Math.max(changed.right, x + right);
      changed.bottom = Math.max(changed.bottom, y + bottom);
    }
    this.#dirty.clear();
    return changed;
  }

  /** Upload everything again with the next `flush`: a browser short of memory drops bitmaps, sometimes silently. */
  refresh() {
    for (const tile of this.#tiles.values()) this.#uploadAll(tile);
  }

  /** @returns {Iterable<Tile>} all tiles that have, or have had, a pixel that is not background */
  tiles() {
    return this.#tiles.values();
  }

  #tile(x, y) {
    return this.#tiles.get(this.#number(x, y));
  }

  #number(x, y) {
    return (y >> 8) * this.#columns + (x >> 8);
  }

  /** @param {number} x @param {number} y @returns {Tile} */
  #paintable(x, y) {
    const number = this.#number(x, y);
    let tile = this.#tiles.get(number);
    if (!tile) {
      tile = this.#create(number);
      this.#fill(tile, null);
    }
    return tile;
  }

  #create(number) {
    const bitmap = document.createElement("canvas");
    bitmap.width = bitmap.height = TILE;
    const image = new ImageData(TILE, TILE);
    const tile = {
      x: (number % this.#columns) * TILE,
      y: Math.floor(number / this.#columns) * TILE,
      bitmap,
      context: /** @type {CanvasRenderingContext2D} */ (bitmap.getContext("2d")),
      image,
      shown: new Uint32Array(image.data.buffer),
      confirmed: new Uint32Array(TILE * TILE),
      dirty: nothing(),
    };
    bitmap.oncontextrestored = () => {
      this.#uploadAll(tile);
      this.onlost();
    };
    this.#tiles.set(number, tile);
    return tile;
  }

  #fill(tile, colors) {
    if (colors) tile.confirmed.set(colors);
    else tile.confirmed.fill(this.background);
    tile.shown.set(tile.confirmed);
    this.#uploadAll(tile);
  }

  #uploadAll(tile) {
    tile.dirty = { left: 0, top: 0, right: TILE - 1, bottom: TILE - 1 };
    this.#dirty.add(tile);
  }

  #forget(number, tile) {
    this.#tiles.delete(number);
    this.#dirty.delete(tile);
  }
}

function within(x, y) {
  return ((y & 255) << 8) | (x & 255);
}

function touches(area, tile) {
  const [right, bottom] = [area.x + area.width, area.y + area.height];
  return tile.x < right && tile.y < bottom && tile.x + TILE > area.x && tile.y + TILE > area.y;
}
