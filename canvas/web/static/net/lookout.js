/**
 * Subscribes to what is in view: the whole of a small canvas; of a large one, the visible area with a margin.
 *
 * If the view is zoomed out so far that this would be too much, it subscribes to the middle of the view. A
 * low-resolution overview, fetched as a picture, fills the rest.
 */
import { TILE } from "./protocol.js";

/** Maximum number of tiles along each side of the subscription: 3,072 pixels. */
const MAX_TILES = 12;
/** Margin beyond each edge of the view, as a share of its size. */
const MARGIN = 0.5;
/** Milliseconds between checks while the view moves. */
const DELAY = 120;
const OVERVIEW_SIDE = 1250;
const OVERVIEW_INTERVAL = 10_000;

/**
 * Extend the cells from `low` to `high` along one side to whole tiles, within the canvas and `MAX_TILES`.
 * @param {number} low
 * @param {number} high
 * @param {number} size of the canvas
 * @returns {[number, number]} start and length
 */
export function span(low, high, size) {
  const middle = (low + high) / 2;
  const half = Math.min(high - low, (MAX_TILES - 1) * TILE) / 2;
  const begin = Math.max(0, Math.min(Math.floor((middle - half) / TILE) * TILE, size - TILE));
  const end = Math.min(size, Math.max(begin + TILE, Math.ceil((middle + half) / TILE) * TILE));
  return [begin, end - begin];
}

export class Lookout {
  /** Called when the overview has been loaded or replaced. */
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
    setInterval(() => document.hidden || this.#loadOverview(), OVERVIEW_INTERVAL);
  }

  /** The view has changed: check the subscription soon. */
  look() {
    if (this.#picture.ready && this.#session.isLarge) this.#timer ||= setTimeout(() => this.check(), DELAY);
  }

  /** Change the subscription now, if the view needs it. */
  check() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#picture.ready) return;
    const seen = this.#area(0);
    const wanted = this.#area(MARGIN);
    const { area } = this.#picture;
    const isTooMuch = area.width * area.height > 4 * wanted.width * wanted.height;
    if (!covers(area, seen) || isTooMuch) this.#session.lookAt(wanted);
    this.#loadOverview();
  }

  /** The area to subscribe to: all of a small canvas, which may have grown since we last subscribed. */
  #area(margin) {
    const { view, screen } = this.#camera;
    const { width, height } = this.#picture;
    if (!this.#session.isLarge) return { x: 0, y: 0, width, height };
    const [dx, dy] = [screen.width, screen.height].map((size) => (size / view.zoom) * (0.5 + margin));
    const [x, columns] = span(Math.max(0, view.x - dx), Math.min(width, view.x + dx), width);
    const [y, rows] = span(Math.max(0, view.y - dy), Math.min(height, view.y + dy), height);
    return { x, y, width: columns, height: rows };
  }

  async #loadOverview() {
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
      // The server is unreachable: the next interval tries again.
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
