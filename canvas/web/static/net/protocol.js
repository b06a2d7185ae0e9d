/**
 * The wire protocol `canopy.v1.bin`: bytes to values and back. Pure, except for `inflate`.
 *
 * The rest of the page sees only the values below, so another encoding would change only this module. Colours are
 * packed (see `color.js`).
 *
 * @typedef {{type: "welcome", userId: string, width: number, height: number, epoch: string, seq: number, head: number,
 *   resumed: boolean, background: number, users: string[], names: Record<string, string>, userCount: number,
 *   rateLimit: {perSecond: number, burst: number} | null, rules: import("../paint/rules.js").RuleSet}} Welcome
 * @typedef {{x: number, y: number, width: number, height: number}} Area
 * @typedef {{type: "snapshot", seq: number, whole: boolean, area: Area,
 *   tiles: {number: number, data: Uint8Array<ArrayBuffer>}[]}} Snapshot whole: tiles that are not listed are background; data: deflated, empty for a tile of background
 * @typedef {{type: "changes", after: number, upto: number, each: (visit: (x: number, y: number, color: number,
 *   userId: string) => void) => void}} Changes
 * @typedef {{type: "presence", changes: {joined: boolean, userId: string, name: string}[]}} Presence
 * @typedef {{type: "user_count", count: number}} UserCount
 * @typedef {{type: "cursors", cursors: {x: number, y: number, userId: string}[]}} Cursors
 * @typedef {{type: "error", code: string, message: string, field: string | null}} ServerError
 * @typedef {{type: "ack", id: number, seq: number}} Ack
 * @typedef {{type: "refused", id: number, code: string, message: string, retryAfter: number | null, pixels: {x: number,
 *   y: number}[] | null}} Refused retryAfter: milliseconds; pixels: null for all pixels of the message
 * @typedef {{type: "heartbeat"}} Heartbeat
 * @typedef {Welcome | Snapshot | Changes | Presence | UserCount | Cursors | ServerError | Ack | Refused | Heartbeat}
 *   ServerMessage
 */

import { pack } from "../paint/color.js";

export const SUBPROTOCOL = "canopy.v1.bin";
/** Pixels on each side of a tile. */
export const TILE = 256;
/** Maximum number of pixels in one message: the server's default burst. */
export const MAX_PIXELS = 200;

const RECORD = 9;
const PIXEL = 7;
const PIXELS_HEAD = 5;
const text = new TextDecoder();

/**
 * @param {number} id 32 bits; the server's acknowledgement or refusal repeats it
 * @param {{x: number, y: number, color: number}[]} pixels colours packed
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodePixels(id, pixels) {
  const bytes = new Uint8Array(PIXELS_HEAD + PIXEL * pixels.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x04;
  view.setUint32(1, id, true);
  pixels.forEach(({ x, y, color }, i) => {
    const at = PIXELS_HEAD + PIXEL * i;
    view.setUint16(at, x, true);
    view.setUint16(at + 2, y, true);
    bytes.set([color & 0xff, (color >>> 8) & 0xff, (color >>> 16) & 0xff], at + 4);
  });
  return bytes;
}

/**
 * @param {number} x
 * @param {number} y
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeCursor(x, y) {
  return numbers(0x02, x, y);
}

/**
 * @param {Area} area
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeSubscribe({ x, y, width, height }) {
  return numbers(0x03, x, y, width, height);
}

function numbers(kind, ...values) {
  const view = new DataView(new ArrayBuffer(1 + 2 * values.length));
  view.setUint8(0, kind);
  values.forEach((value, i) => view.setUint16(1 + 2 * i, value, true));
  return new Uint8Array(view.buffer);
}

/**
 * Decode one message. Return null for an unknown kind, which a newer server may send.
 * @param {ArrayBuffer} frame
 * @returns {ServerMessage | null}
 */
export function decode(frame) {
  const read = new Reader(frame);
  switch (read.u8()) {
    case 0x81:
      return welcome(read);
    case 0x82:
      return snapshot(read);
    case 0x83:
      return changes(read);
    case 0x84:
      return { type: "presence", changes: read.many(() => presenceChange(read)) };
    case 0x85:
      return { type: "cursors", cursors: read.many(() => ({ x: read.u16(), y: read.u16(), userId: read.short() })) };
    case 0x86:
      return { type: "error", code: read.short(), field: read.short() || null, message: read.text(read.u16()) };
    case 0x87:
      return { type: "user_count", count: read.u32() };
    case 0x88:
      return { type: "ack", id: read.u32(), seq: read.u64() };
    case 0x89:
      return refused(read);
    case 0x8a:
      return { type: "heartbeat" };
    default:
      return null;
  }
}

/**
 * Inflate the colours of a snapshot's tile.
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<Uint32Array>} `TILE` x `TILE` packed colours
 */
export async function inflate(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const rgb = new Uint8Array(await new Response(stream).arrayBuffer());
  const colors = new Uint32Array(TILE * TILE);
  for (let i = 0, at = 0; i < colors.length; i++, at += 3) {
    colors[i] = 0xff000000 | (rgb[at + 2] << 16) | (rgb[at + 1] << 8) | rgb[at];
  }
  return colors;
}

/** Reads values from a message, left to right. */
class Reader {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.at = 0;
  }

  u8() {
    return this.view.getUint8(this.at++);
  }

  u16() {
    return this.view.getUint16((this.at += 2) - 2, true);
  }

  u32() {
    return this.view.getUint32((this.at += 4) - 4, true);
  }

  u64() {
    return Number(this.view.getBigUint64((this.at += 8) - 8, true));
  }

  f64() {
    return this.view.getFloat64((this.at += 8) - 8, true);
  }

  /** @param {number} length */
  take(length) {
    return this.bytes.subarray(this.at, (this.at += length));
  }

  /** @param {number} length */
  text(length) {
    return text.decode(this.take(length));
  }

  short() {
    return this.text(this.u8());
  }

  /**
   * @template T
   * @param {() => T} one
   * @returns {T[]}
   */
  many(one) {
    return Array.from({ length: this.u16() }, one);
  }
}

/** @param {Reader} read @returns {Welcome} */
function welcome(read) {
  const flags = read.u8();
  const [width, height, rgb] = [read.u16(), read.u16(), read.u32()];
  const background = (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >>> 16)) >>> 0;
  const [seq, head] = [read.u64(), read.u64()];
  const limit = { perSecond: read.f64(), burst: read.u32() };
  const userCount = read.u32();
  const [epoch, userId] = [read.short(), read.short()];
  const users = read.many(() => read.short());
  const { names, read_only: readOnly, palette, cooldown, locked } = JSON.parse(read.text(read.bytes.length - read.at));
  const rules = { readOnly, palette: palette?.map(pack) ?? null, cooldown, locked };
  const rateLimit = flags & 2 ? limit : null;
  const resumed = Boolean(flags & 1);
  const shape = { width, height, background };
  return { type: "welcome", userId, ...shape, epoch, seq, head, resumed, users, names, userCount, rateLimit, rules };
}

function presenceChange(read) {
  return { joined: read.u8() === 1, userId: read.short(), name: read.short() };
}

/** @param {Reader} read @returns {Snapshot} */
function snapshot(read) {
  const whole = Boolean(read.u8() & 1);
  const seq = read.u64();
  const area = { x: read.u16(), y: read.u16(), width: read.u16(), height: read.u16() };
  const tiles = read.many(() => ({ number: read.u16(), data: read.take(read.u32()) }));
  return { type: "snapshot", seq, whole, area, tiles };
}

/** @param {Reader} read @returns {Refused} */
function refused(read) {
  const [id, retryAfter] = [read.u32(), read.u32() || null];
  const pixels = read.many(() => ({ x: read.u16(), y: read.u16() }));
  const [code, message] = [read.short(), read.text(read.u16())];
  return { type: "refused", id, code, message, retryAfter, pixels: pixels.length ? pixels : null };
}

/** @param {Reader} read @returns {Changes} */
function changes(read) {
  const [after, upto] = [read.u64(), read.u64()];
  const users = read.many(() => read.short());
  const { bytes, view, at: first } = read;
  /** @type {Changes["each"]} */
  const each = (visit) => {
    for (let at = first; at + RECORD <= bytes.length; at += RECORD) {
      const color = (0xff000000 | (bytes[at + 8] << 16) | (bytes[at + 7] << 8) | bytes[at + 6]) >>> 0;
      visit(view.getUint16(at, true), view.getUint16(at + 2, true), color, users[view.getUint16(at + 4, true)]);
    }
  };
  return { type: "changes", after, upto, each };
}
