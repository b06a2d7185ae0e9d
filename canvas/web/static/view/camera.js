/**
 * The camera: holds the view, moves it (at once or smoothly), and keeps it in the address bar.
 */
import { blend, clamp, fit, formatHash, nextStop, parseHash, toCanvas, toScreen, zoomAt } from "./viewport.js";

const GLIDE = 180;
const HASH_DELAY = 300;

export class Camera {
  /** @type {import("./viewport.js").View} */
  view = { x: 0, y: 0, zoom: 1 };
  screen = { width: 1, height: 1 };
  /** Whether the view fits the whole canvas; then it stays fitted when the window changes. */
  fitted = true;
  /** Called when the view has changed. */
  onchange = () => {};

  #board = { width: 0, height: 0 };
  #insets = { top: 0, right: 0, bottom: 0, left: 0 };
  /** @type {{from: import("./viewport.js").View, to: import("./viewport.js").View, start: number} | null} */
  #glide = null;
  #hashTimer = 0;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  constructor() {
    addEventListener("hashchange", () => this.#board.width && this.#readHash());
  }

  /** Whether the view is moving smoothly. */
  get moving() {
    return this.#glide !== null;
  }

  /**
   * @param {import("./viewport.js").Size} screen
   * @param {import("./viewport.js").Insets} insets
   */
  resize(screen, insets) {
    this.screen = screen;
    this.#insets = insets;
    if (this.fitted) this.fit(false);
    else this.#set(this.view);
  }

  /**
   * Open a canvas of this size: show the view of the link, or all of it.
   * @param {import("./viewport.js").Size} board
   */
  open(board) {
    this.#board = { width: board.width, height: board.height };
    if (!this.#readHash()) this.fit(false);
  }

  /**
   * The cell under a screen point; it may lie outside the canvas.
   * @param {import("./viewport.js").Point} at
   */
  cellAt(at) {
    const point = toCanvas(this.view, this.screen, at);
    return { x: Math.floor(point.x), y: Math.floor(point.y) };
  }

  /**
   * Move the canvas by screen pixels.
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.#stop();
    this.#move({ ...this.view, x: this.view.x - dx / this.view.zoom, y: this.view.y - dy / this.view.zoom });
  }

  /**
   * Zoom by a factor around a screen point.
   * @param {number} factor
   * @param {import("./viewport.js").Point} at
   */
  zoomBy(factor, at) {
    this.#stop();
    const { zoom } = this.#clamped({ ...this.view, zoom: this.view.zoom * factor });
    this.#move(zoomAt(this.view, this.screen, at, zoom));
  }

  /**
   * Go to the next round zoom.
   * @param {1 | -1} direction
   * @param {import("./viewport.js").Point} [at]
   */
  zoomStep(direction, at = this.#middle()) {
    const from = this.#glide?.to ?? this.view;
    const { zoom } = this.#clamped({ ...from, zoom: nextStop(from.zoom, direction) });
    this.fitted = false;
    this.#glideTo(zoomAt(from, this.screen, at, zoom));
  }

  /**
   * Show the whole canvas.
   * @param {boolean} [smoothly]
   */
  fit(smoothly = true) {
    if (!this.#board.width) return;
    this.fitted = true;
    const view = fit(this.#board, this.screen, this.#insets);
    if (smoothly) this.#glideTo(view);
    else {
      this.#stop();
      this.#set(view);
    }
  }

  /**
   * Move to a canvas point, and zoom in far enough to see it.
   * @param {import("./viewport.js").Point} point
   */
  goTo(point) {
    this.fitted = false;
    this.#glideTo({ ...point, zoom: Math.max(12, this.view.zoom) });
  }

  /**
   * Zoom in on a screen point until single cells are large enough to paint.
   * @param {import("./viewport.js").Point} at
   */
  approach(at) {
    this.fitted = false;
    this.#glideTo(zoomAt(this.view, this.screen, at, Math.max(12, this.view.zoom)));
  }

  /** The URL of this view. */
  link() {
    this.#writeHash();
    return location.href;
  }

  /**
   * Move as little as possible to make a cell visible, clear of the panels.
   * @param {import("./viewport.js").Point} cell
   */
  reveal(cell) {
    const { top, right, bottom, left } = this.#insets;
    const at = toScreen(this.view, this.screen, { x: cell.x + 0.5, y: cell.y + 0.5 });
    const margin = 24;
    const over = (value, low, high) => (value < low ? low - value : value > high ? high - value : 0);
    const dx = over(at.x, left + margin, this.screen.width - right - margin);
    const dy = over(at.y, top + margin, this.screen.height - bottom - margin);
    if (dx || dy) this.pan(dx, dy);
  }

  /**
   * Advance a smooth movement.
   * @param {number} now
   */
  step(now) {
    if (!this.#glide) return;
    const { from, to, start } = this.#glide;
    const t = Math.min(1, Math.max(0, (now - start) / GLIDE));
    if (t === 1) this.#glide = null;
    this.#set(blend(from, to, 1 - (1 - t) ** 3));
  }

  #glideTo(view) {
    const to = this.#clamped(view);
    this.#stop();
    if (this.#calm.matches) return this.#set(to);
    this.#glide = { from: this.view, to, start: performance.now() };
    this.onchange();
  }

  #stop() {
    this.#glide = null;
  }

  #move(view) {
    this.fitted = false;
    this.#set(view);
  }

  #set(view) {
    this.view = this.#board.width ? this.#clamped(view) : view;
    this.onchange();
    clearTimeout(this.#hashTimer);
    if (this.#board.width) this.#hashTimer = setTimeout(() => this.#writeHash(), HASH_DELAY);
  }

  #clamped(view) {
    const whole = fit(this.#board, this.screen, this.#insets);
    const { top, right, bottom, left } = this.#insets;
    const slack = { x: Math.abs(right - left) / 2 + 40, y: Math.abs(bottom - top) / 2 + 40 };
    return clamp(view, this.#board, Math.min(1, whole.zoom * 0.5), slack);
  }

  #middle() {
    return { x: this.screen.width / 2, y: this.screen.height / 2 };
  }

  #readHash() {
    const view = parseHash(location.hash);
    if (!view) return false;
    this.#stop();
    this.#move(view);
    return true;
  }

  #writeHash() {
    clearTimeout(this.#hashTimer);
    const hash = this.fitted ? "" : formatHash(this.#glide?.to ?? this.view);
    if (hash !== location.hash) history.replaceState(null, "", location.pathname + location.search + hash);
  }
}
