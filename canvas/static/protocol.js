/**
 * The JSON wire protocol: frames to values and back. Pure.
 *
 * The rest of the page sees only the values below, so another encoding needs to touch nothing but this module.
 *
 * @typedef {{type: "welcome", userId: string, width: number, height: number, epoch: string, seq: number,
 *   background: number, users: string[], userCount: number, rateLimit: {perSecond: number, burst: number} | null}} Welcome
 * @typedef {{type: "canvas_state", epoch: string, seq: number, cells: Uint32Array}} CanvasState
 *   cells: x, y, packed colour, x, y, packed colour, ...
 * @typedef {{type: "pixel_changed", x: number, y: number, color: number, userId: string, seq: number}} PixelChanged
 * @typedef {{type: "user_joined" | "user_left", userId: string}} Presence
 * @typedef {{type: "cursor_moved", x: number, y: number, userId: string}} CursorMoved
 * @typedef {{type: "error", code: string, message: string, field: string | null}} ServerError
 * @typedef {Welcome | CanvasState | PixelChanged | Presence | CursorMoved | ServerError} ServerMessage
 */
import { hex, pack } from "./color.js";

/**
 * @param {number} x
 * @param {number} y
 * @param {number} color packed
 * @returns {string}
 */
export function encodePixel(x, y, color) {
  return `{"type":"pixel_update","x":${x},"y":${y},"color":"${hex(color)}"}`;
}

/**
 * @param {number} x
 * @param {number} y
 * @returns {string}
 */
export function encodeCursor(x, y) {
  return `{"type":"cursor_move","x":${x},"y":${y}}`;
}

/**
 * Decode one frame. A type this page does not know is null: a newer server may say more than we understand.
 * @param {string} frame
 * @returns {ServerMessage | null}
 */
export function decode(frame) {
  const raw = JSON.parse(frame);
  switch (raw.type) {
    case "pixel_changed":
      return { type: raw.type, x: raw.x, y: raw.y, color: pack(raw.color), userId: raw.user_id, seq: raw.seq };
    case "cursor_moved":
      return { type: raw.type, x: raw.x, y: raw.y, userId: raw.user_id };
    case "user_joined":
    case "user_left":
      return { type: raw.type, userId: raw.user_id };
    case "canvas_state":
      return { type: raw.type, epoch: raw.epoch, seq: raw.seq, cells: decodeCells(raw.pixels) };
    case "welcome":
      return decodeWelcome(raw);
    case "error":
      return { type: raw.type, code: raw.code, message: raw.message ?? raw.code, field: raw.field ?? null };
    default:
      return null;
  }
}

function decodeCells(pixels) {
  const cells = new Uint32Array(pixels.length * 3);
  let at = 0;
  for (const { x, y, color } of pixels) {
    cells[at++] = x;
    cells[at++] = y;
    cells[at++] = pack(color);
  }
  return cells;
}

function decodeWelcome(raw) {
  const users = raw.users ?? [raw.user_id];
  const limit = raw.rate_limit;
  return {
    type: "welcome",
    userId: raw.user_id,
    width: raw.width,
    height: raw.height,
    epoch: raw.epoch,
    seq: raw.seq,
    background: pack(raw.background ?? "#FFFFFF"),
    users,
    userCount: raw.user_count ?? users.length,
    rateLimit: limit ? { perSecond: limit.per_second, burst: limit.burst } : null,
  };
}
