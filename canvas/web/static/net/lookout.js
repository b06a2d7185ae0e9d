/**
 * Sees to it that what we look at is known: all of a canvas, or of one that is too large for a page what we see, with a
 * margin, and little else.
 *
 * Zoomed out so far that it would be too much, we get the middle of it; around that there is a picture from afar.
 */
import { TILE } from "./protocol.js";

/** Tiles of a side that are known at most: 3,072 pixels, a quarter of a large screen's at half zoom. */
const MAX_TILES = 12;
/** Of what is seen, to be known beyond each edge. */
const MARGIN = 0.5;
/** Milliseconds the view has to rest, or nearly. */
const DELAY = 120;
const OVERVIEW_SIDE = 1250;
const OVERVIEW_INTERVAL = 10_000;

/**
 * The cells from `low` to `high` along one side, as whole tiles within the canvas and within what is allowed.
 * @param {number} low
 * @param {number} high
 * @param {number} size of the canvas
 * @returns {[number, number]} where it begins, and how long it is
 */
export function span(low, high, size) {
  const middle = (low + high) / 2;
  const half = Math.min(high - low, (MAX_TILES - 1) * TILE) / 2;
  const begin = Math.max(0, Math.min(Math.floor((middle - half) / TILE) * TILE, size - TILE));
  const end = Math.min(size, Math.max(begin + TILE, Math.ceil((middle + half) / TILE) * TILE));
  return [begin, end - begin];
}

export class Lookout {
  /** The picture from afar is there, or is another one. */
  onoverview = () => {};

  #camera;
  #picture;
  #session;
  #timer = 0;
  #overviewAt = -Infinity;

  /**
   * @param {import("../view/camera.js").Camera} camera
   * @param {import("../view/picture.js").Picture} picture
   * @param {import("./session.js").Session} session
   */
  constructor(camera, picture, session) {
    this.#camera = camera;
    this.#picture = picture;
    this.#session = session;
    setInterval(() => document.hidden || this.#lookFromAfar(), OVERVIEW_INTERVAL);
  }

  /** The view has changed. */
  look() {
    if (this.#picture.ready && this.#session.isLarge) this.#timer ||= setTimeout(() => this.check(), DELAY);
  }

  /** See to it now. */
  check() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#picture.ready) return;
    const seen = this.#area(0);
    const wanted = this.#area(MARGIN);
    const { area } = this.#picture;
    const isTooMuch = area.width * area.height > 4 * wanted.width * wanted.height;
    if (!covers(area, seen) || isTooMuch) this.#session.lookAt(wanted);
    this.#lookFromAfar();
  }

  /** What is to be known: all of a small canvas, which may have been smaller when we asked for it. */
  #area(margin) {
    const { view, screen } = this.#camera;
    const { width, height } = this.#picture;
    if (!this.#session.isLarge) return { x: 0, y: 0, width, height };
    const [dx, dy] = [screen.width, screen.height].map((size) => (size / view.zoom) * (0.5 + margin));
    const [x, columns] = span(Math.max(0, view.x - dx), Math.min(width, view.x + dx), width);
    const [y, rows] = span(Math.max(0, view.y - dy), Math.min(height, view.y + dy), height);
    return { x, y, width: columns, height: rows };
  }

  async #lookFromAfar() {
    const { width, height } = this.#picture;
    if (!this.#picture.ready || !this.#session.isLarge || performance.now() - this.#overviewAt < OVERVIEW_INTERVAL) return;
    this.#overviewAt = performance.now();
    const every = Math.ceil(Math.max(width, height) / OVERVIEW_SIDE);
    try {
      const response = await fetch(`api/canvas.png?every=${every}`);
      if (!response.ok) return;
      this.#picture.overview = await createImageBitmap(await response.blob());
      this.onoverview();
    } catch {
      // The server is away; the next time will do.
    }
  }
}

function covers(outer, inner) {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}
