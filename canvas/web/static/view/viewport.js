/**
 * The maths between canvas cells and screen pixels. Pure.
 *
 * @typedef {{x: number, y: number, zoom: number}} View x, y: the canvas point in the middle of the screen; zoom: CSS
 *   pixels per cell
 * @typedef {{width: number, height: number}} Size
 * @typedef {{top: number, right: number, bottom: number, left: number}} Insets parts of the screen under panels
 * @typedef {{x: number, y: number}} Point
 */

export const MAX_ZOOM = 64;
const STOPS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/**
 * The canvas point under a screen point, not rounded to a cell.
 * @param {View} view
 * @param {Size} screen
 * @param {Point} at
 * @returns {Point}
 */
export function toCanvas(view, screen, at) {
  return {
    x: view.x + (at.x - screen.width / 2) / view.zoom,
    y: view.y + (at.y - screen.height / 2) / view.zoom,
  };
}

/**
 * @param {View} view
 * @param {Size} screen
 * @param {Point} point on the canvas
 * @returns {Point} on the screen, in CSS pixels
 */
export function toScreen(view, screen, point) {
  return {
    x: (point.x - view.x) * view.zoom + screen.width / 2,
    y: (point.y - view.y) * view.zoom + screen.height / 2,
  };
}

/**
 * Change the zoom so that the canvas point under `at` stays there.
 * @param {View} view
 * @param {Size} screen
 * @param {Point} at
 * @param {number} zoom
 * @returns {View}
 */
export function zoomAt(view, screen, at, zoom) {
  const fixed = toCanvas(view, screen, at);
  const keep = view.zoom / zoom;
  return { x: fixed.x + (view.x - fixed.x) * keep, y: fixed.y + (view.y - fixed.y) * keep, zoom };
}

/**
 * The view that shows the whole canvas between the panels.
 * @param {Size} board
 * @param {Size} screen
 * @param {Insets} insets
 * @returns {View}
 */
export function fit(board, screen, insets) {
  const width = Math.max(50, screen.width - insets.left - insets.right);
  const height = Math.max(50, screen.height - insets.top - insets.bottom);
  const zoom = Math.min(MAX_ZOOM, width / board.width, height / board.height);
  return {
    x: board.width / 2 + (insets.right - insets.left) / 2 / zoom,
    y: board.height / 2 + (insets.bottom - insets.top) / 2 / zoom,
    zoom,
  };
}

/**
 * Keep the zoom within its bounds and the canvas within reach.
 * @param {View} view
 * @param {Size} board
 * @param {number} minZoom
 * @param {Point} slack how far beyond the canvas's edge the middle may be, in screen pixels
 * @returns {View}
 */
export function clamp(view, board, minZoom, slack) {
  const zoom = between(minZoom, view.zoom, MAX_ZOOM);
  return {
    x: between(-slack.x / zoom, view.x, board.width + slack.x / zoom),
    y: between(-slack.y / zoom, view.y, board.height + slack.y / zoom),
    zoom,
  };
}

/**
 * The next round zoom in a direction.
 * @param {number} zoom
 * @param {1 | -1} direction
 * @returns {number}
 */
export function nextStop(zoom, direction) {
  const beyond = (stop) => (direction > 0 ? stop > zoom * 1.01 : stop < zoom * 0.99);
  return (direction > 0 ? STOPS.find(beyond) : STOPS.findLast(beyond)) ?? zoom;
}

/**
 * Interpolate between two views such that a zoom around a fixed point keeps that point fixed.
 * @param {View} from
 * @param {View} to
 * @param {number} t 0 to 1
 * @returns {View}
 */
export function blend(from, to, t) {
  const zoom = from.zoom * (to.zoom / from.zoom) ** t;
  const still = Math.abs(to.zoom / from.zoom - 1) < 1e-3;
  const share = still ? t : (1 / zoom - 1 / from.zoom) / (1 / to.zoom - 1 / from.zoom);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share, zoom };
}

/**
 * Read `#x,y,zoom`.
 * @param {string} hash
 * @returns {View | null}
 */
export function parseHash(hash) {
  const match = /^#(-?[\d.]+),(-?[\d.]+)(?:,([\d.]+))?$/.exec(hash.replaceAll("%2C", ","));
  if (!match) return null;
  const [x, y, zoom] = [match[1], match[2], match[3] ?? "16"].map(Number);
  return [x, y, zoom].every(Number.isFinite) && zoom > 0 ? { x, y, zoom } : null;
}

/**
 * @param {View} view
 * @returns {string} `#x,y,zoom`
 */
export function formatHash(view) {
  const round = (value, digits) => String(Number(value.toFixed(digits)));
  const digits = view.zoom >= 8 ? 1 : 0;
  return `#${round(view.x, digits)},${round(view.y, digits)},${round(view.zoom, 2)}`;
}

function between(low, value, high) {
  return Math.min(high, Math.max(low, value));
}
