/**
 * Draws a frame only when something has changed.
 *
 * Two layers: the board (picture, grid, edge) is redrawn where the picture changed, or when the view did; the overlay (outlined
 * cell, cursors) also while cursors move, without touching the board.
 */
import { hex as css } from "../paint/color.js";
import { TILE } from "../net/protocol.js";
import { toScreen } from "./viewport.js";

/** The range of zooms over which the grid fades in. */
const GRID_FROM = 8;
const GRID_FULL = 14;
/** Zoom below which an outlined cell is too small to see. */
const OUTLINE_FROM = 3;
/** Width from which names are condensed, so as not to cover the canvas. */
const LABEL_WIDTH = 160;
const LABEL_FONT = "600 11px system-ui, sans-serif";
const ARROW = new Path2D("M0 0 L0 15.2 L4.1 11.6 L6.9 17.6 L9.6 16.4 L6.9 10.6 L12.2 10.6 Z");

export class Renderer {
  /** Draw grid lines when zoomed in. */
  grid = true;
  /** The cell to outline: under the pointer, or the keyboard's. @type {{x: number, y: number, keyboard: boolean} | null} */
  target = null;
  /** Called when cells were drawn in new colours. */
  onpicture = () => {};
  /** Called when the device pixel ratio has changed, as on another monitor: call `resize`. */
  onratio = () => {};
  /** Locked areas, drawn hatched. @type {import("../net/protocol.js").Area[]} */
  locked = [];

  #board;
  #overlay;
  #picture;
  #camera;
  #cursors;
  #boardDirty = true;
  #overlayDirty = true;
  #frame = 0;
  #wake = 0;
  /** Device pixels of the board. */
  #size = { width: 1, height: 1 };
  /** Device pixels per CSS pixel. */
  #ratio = 1;
  #edge = "#0002";
  /** @type {CanvasPattern | null} */
  #hatch = null;

  /**
   * @param {HTMLCanvasElement} board
   * @param {HTMLCanvasElement} overlay
   * @param {{picture: import("./picture.js").Picture, camera: import("./camera.js").Camera,
   *   cursors: import("./cursors.js").Cursors}} scene
   */
  constructor(board, overlay, { picture, camera, cursors }) {
    this.#board = board.getContext("2d");
    this.#overlay = overlay.getContext("2d");
    this.#picture = picture;
    this.#camera = camera;
    this.#cursors = cursors;
    for (const canvas of [board, overlay]) canvas.addEventListener("contextrestored", () => this.#reset());
  }

  /**
   * @param {import("./viewport.js").Size} size whole device pixels, as rounded by the browser
   * @param {number} ratio device pixels per CSS pixel
   */
  resize(size, ratio) {
    this.#size = size;
    this.#ratio = ratio;
    this.#reset();
  }

  /** Start over with empty bitmaps. */
  #reset() {
    this.#hatch = hatch(this.#board, this.#ratio);
    for (const { canvas } of [this.#board, this.#overlay]) Object.assign(canvas, this.#size);
    this.#boardDirty = true;
    this.#draw(performance.now()); // in the same frame, or the old picture would show stretched
  }

  /** Reread the colours from the style sheet. */
  restyle() {
    this.#edge = getComputedStyle(this.#board.canvas).getPropertyValue("--board-edge").trim() || this.#edge;
    this.redraw();
  }

  /** The view changed. */
  redraw() {
    this.#boardDirty = true;
    this.#schedule();
  }

  /** The picture changed: draw its dirty part. */
  redrawPicture() {
    this.#schedule();
  }

  /** Only the overlay changed. */
  redrawOverlay() {
    this.#overlayDirty = true;
    this.#schedule();
  }

  #schedule() {
    if (!this.#frame) this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#ratio !== (devicePixelRatio || 1)) return this.onratio(); // no event reports it if the size is unchanged
    this.#camera.step(now);
    const moving = this.#cursors.step(now);
    const changed = this.#picture.flush();
    if (this.#boardDirty) this.#drawBoard();
    else if (changed) this.#drawCells(changed);
    if (changed) this.onpicture();
    if (this.#boardDirty || this.#overlayDirty || moving) this.#drawOverlay(now);
    this.#boardDirty = this.#camera.moving;
    this.#overlayDirty = moving;
    if (this.#boardDirty || this.#overlayDirty) this.#schedule();
    else this.#wakeToFade(now);
  }

  #wakeToFade(now) {
    clearTimeout(this.#wake);
    const wait = this.#cursors.untilFade(now);
    if (wait < Infinity) this.#wake = setTimeout(() => this.redrawOverlay(), wait + 20);
  }

  /** Redraw the board, clipped to these cells. */
  #drawCells({ left, top, right, bottom }) {
    const scale = this.#camera.view.zoom * this.#ratio;
    const origin = this.#origin();
    // One cell more on each side, because smoothing mixes neighbours; whole pixels, because others would leave seams.
    const x = Math.floor(origin.x + (left - 1) * scale) - 1;
    const y = Math.floor(origin.y + (top - 1) * scale) - 1;
    const width = Math.ceil((right - left + 3) * scale) + 3;
    const height = Math.ceil((bottom - top + 3) * scale) + 3;
    this.#board.save();
    this.#board.beginPath();
    this.#board.rect(x, y, width, height);
    this.#board.clip();
    this.#drawBoard();
    this.#board.restore();
  }

  #drawBoard() {
    const context = this.#board;
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    if (!this.#picture.ready) return;
    const scale = this.#camera.view.zoom * this.#ratio;
    const origin = this.#origin();
    const left = Math.max(0, Math.floor(-origin.x / scale));
    const top = Math.max(0, Math.floor(-origin.y / scale));
    const right = Math.min(this.#picture.width, Math.ceil((width - origin.x) / scale));
    const bottom = Math.min(this.#picture.height, Math.ceil((height - origin.y) / scale));
    this.#drawEdge(context, origin, scale);
    if (right <= left || bottom <= top) return;
    const [columns, rows] = [right - left, bottom - top];
    const at = [origin.x + left * scale, origin.y + top * scale, columns * scale, rows * scale];
    context.fillStyle = css(this.#picture.background);
    context.fillRect(...at);
    context.imageSmoothingEnabled = scale < 1; // nearest neighbour would lose whole lines
    this.#drawOverview(context, origin, scale, { left, top, right, bottom });
    for (const tile of this.#picture.tiles()) this.#drawTile(context, tile, origin, scale, { left, top, right, bottom });
    if (this.grid && this.#camera.view.zoom >= GRID_FROM) this.#drawGrid(origin, scale, left, top, right, bottom);
    for (const area of this.locked) this.#drawLocked(context, area, origin, scale, { left, top, right, bottom });
  }

  /** Hatch the visible part of a locked area. */
  #drawLocked(context, area, origin, scale, seen) {
    const [left, top] = [Math.max(seen.left, area.x), Math.max(seen.top, area.y)];
    const [right, bottom] = [Math.min(seen.right, area.x + area.width), Math.min(seen.bottom, area.y + area.height)];
    if (right <= left || bottom <= top) return;
    context.save();
    context.translate(origin.x, origin.y); // the hatching moves with the canvas
    context.fillStyle = this.#hatch;
    context.fillRect(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale);
    context.restore();
  }

  /** Draw the overview, if part of the visible canvas is not known. */
  #drawOverview(context, origin, scale, { left, top, right, bottom }) {
    const { overview, area, width, height } = this.#picture;
    const known = left >= area.x && top >= area.y && right <= area.x + area.width && bottom <= area.y + area.height;
    if (overview && !known) context.drawImage(overview, origin.x, origin.y, width * scale, height * scale);
  }

  /** Draw the visible part of a tile; its edges lie on whole pixels, or seams would show. */
  #drawTile(context, tile, origin, scale, seen) {
    const left = Math.max(seen.left, tile.x);
    const top = Math.max(seen.top, tile.y);
    const right = Math.min(seen.right, tile.x + TILE);
    const bottom = Math.min(seen.bottom, tile.y + TILE);
    if (right <= left || bottom <= top) return;
    const [x, y] = [Math.round(origin.x + left * scale), Math.round(origin.y + top * scale)];
    const [toX, toY] = [Math.round(origin.x + right * scale), Math.round(origin.y + bottom * scale)];
    const from = [left - tile.x, top - tile.y, right - left, bottom - top];
    context.drawImage(tile.bitmap, ...from, x, y, toX - x, toY - y);
  }

  #drawEdge(context, origin, scale) {
    const [width, height] = [this.#picture.width * scale, this.#picture.height * scale];
    context.strokeStyle = this.#edge;
    context.lineWidth = 1;
    const depth = Math.round(9 * this.#ratio);
    for (let i = 0; i < depth; i++) {
      context.globalAlpha = i === 0 ? 1 : 0.42 * (1 - i / depth) ** 2;
      const drop = i === 0 ? 0 : 1.5 * this.#ratio;
      context.strokeRect(origin.x - i - 0.5, origin.y - i - 0.5 + drop, width + 2 * i + 1, height + 2 * i + 1);
    }
    context.globalAlpha = 1;
  }

  #drawGrid(origin, scale, left, top, right, bottom) {
    const context = this.#board;
    const line = (value) => Math.round(value) + 0.5;
    const strength = Math.min(1, (this.#camera.view.zoom - GRID_FROM + 1) / (GRID_FULL - GRID_FROM + 1));
    context.strokeStyle = `rgb(128 132 130 / ${0.24 * strength})`;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = left; x <= right; x++) {
      context.moveTo(line(origin.x + x * scale), origin.y + top * scale);
      context.lineTo(line(origin.x + x * scale), origin.y + bottom * scale);
    }
    for (let y = top; y <= bottom; y++) {
      context.moveTo(origin.x + left * scale, line(origin.y + y * scale));
      context.lineTo(origin.x + right * scale, line(origin.y + y * scale));
    }
    context.stroke();
  }

  #drawOverlay(now) {
    const context = this.#overlay;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (!this.#picture.ready) return;
    if (this.target && this.#picture.contains(this.target.x, this.target.y)) this.#drawTarget(context);
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.font = LABEL_FONT;
    for (const cursor of this.#cursors.visible(now)) this.#drawCursor(context, cursor);
    context.globalAlpha = 1;
  }

  #drawTarget(context) {
    const { x, y, keyboard } = /** @type {NonNullable<typeof this.target>} */ (this.target);
    if (this.#camera.view.zoom < OUTLINE_FROM && !keyboard) return;
    const scale = this.#camera.view.zoom * this.#ratio;
    const origin = this.#origin();
    const [left, top] = [Math.round(origin.x + x * scale), Math.round(origin.y + y * scale)];
    const [right, bottom] = [Math.round(origin.x + (x + 1) * scale), Math.round(origin.y + (y + 1) * scale)];
    const thin = Math.max(1, Math.round(this.#ratio));
    const frame = (out, color) => {
      context.strokeStyle = color;
      context.lineWidth = thin;
      const shift = (out + 0.5) * thin;
      context.strokeRect(left - shift, top - shift, right - left + 2 * shift, bottom - top + 2 * shift);
    };
    frame(0, "rgb(20 24 22 / 0.9)");
    frame(1, "rgb(255 255 255 / 0.95)");
    if (keyboard) {
      frame(2, "rgb(255 255 255 / 0.95)");
      frame(3, "rgb(20 24 22 / 0.9)");
    }
  }

  #drawCursor(context, { x, y, color, label, opacity }) {
    const at = toScreen(this.#camera.view, this.#camera.screen, { x, y });
    const { width, height } = this.#camera.screen;
    if (at.x < -80 || at.y < -40 || at.x > width + 20 || at.y > height + 20) return;
    context.save();
    context.globalAlpha = opacity;
    context.translate(at.x, at.y);
    context.fillStyle = color;
    context.strokeStyle = "#fff";
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.stroke(ARROW);
    context.fill(ARROW);
    context.beginPath();
    const labelWidth = Math.min(LABEL_WIDTH, context.measureText(label).width);
    context.roundRect(11, 15, labelWidth + 12, 18, 9);
    context.fill();
    context.fillStyle = "#fff";
    context.fillText(label, 17, 28, labelWidth);
    context.restore();
  }

  /** The canvas's corner in device pixels, on a whole one so that cells do not shimmer while panning. */
  #origin() {
    const corner = toScreen(this.#camera.view, this.#camera.screen, { x: 0, y: 0 });
    return { x: Math.round(corner.x * this.#ratio), y: Math.round(corner.y * this.#ratio) };
  }
}

/** Thin slanted lines that show on any colour: a light one beside a dark one. */
function hatch(context, ratio) {
  const side = Math.round(10 * ratio);
  const tile = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  pen.lineWidth = ratio;
  /** @type {[string, number][]} */
  const lines = [["rgb(20 24 22 / 0.3)", 0], ["rgb(255 255 255 / 0.4)", 1.4 * ratio]];
  for (const [style, shift] of lines) {
    pen.strokeStyle = style;
    pen.beginPath();
    for (const x of [-side, 0, side]) {
      pen.moveTo(x + shift - side, 2 * side);
      pen.lineTo(x + shift + 2 * side, -side);
    }
    pen.stroke();
  }
  return context.createPattern(tile, "repeat");
}
