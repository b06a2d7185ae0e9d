/**
 * What a server sends, as frames, and what a page of a session is made of.
 */
import zlib from "node:zlib";

import { Connection } from "../../../canvas/web/static/net/connection.js";
import { Outbox } from "../../../canvas/web/static/net/outbox.js";
import { Pending } from "../../../canvas/web/static/net/pending.js";
import { Picture } from "../../../canvas/web/static/view/picture.js";
import { Rules } from "../../../canvas/web/static/paint/rules.js";
import { Session } from "../../../canvas/web/static/net/session.js";
import { sockets } from "./browser.mjs";

/** The parts of a page that talk to the server, and what they tell the person. */
export function newPage() {
  const picture = new Picture();
  const pending = new Pending();
  const people = { count: 1, replace() {}, join() {}, leave() {}, recount() {}, label: (user) => user };
  const cursors = { keep() {}, move() {}, remove() {} };
  const waits = [];
  const cooldown = { left: 0, begin: (count, left) => waits.push(left ?? null), adopt() {} };
  const connection = new Connection(() => `wss://canopy.example/ws?${session.query}`, "canopy.v1.bin");
  const outbox = new Outbox(connection, pending, (...dropped) => session.revert(...dropped));
  const session = new Session({ connection, picture, pending, outbox, people, cursors, rules: new Rules(), cooldown });
  const dropped = [];
  session.ondropped = (count, code) => dropped.push([count, code]);
  const refused = [];
  session.onrefusal = (why) => refused.push(why);
  const states = [];
  connection.onstate = ({ status, reason }) => states.push([status, reason]);
  connection.start();
  return { picture, pending, connection, outbox, session, cooldown, dropped, refused, states, waits };
}

/** The socket that was opened last. */
export const socket = () => sockets.at(-1);

class Frame {
  bytes = [];

  constructor(kind) {
    this.bytes.push(kind);
  }

  u8(...values) {
    for (const value of values) this.bytes.push(value);
    return this;
  }

  u16(...values) {
    for (const value of values) this.bytes.push(value & 255, value >> 8);
    return this;
  }

  u32(...values) {
    for (const value of values) this.u16(value & 0xffff, value >>> 16);
    return this;
  }

  u64(...values) {
    for (const value of values) this.u32(value >>> 0, Math.floor(value / 2 ** 32));
    return this;
  }

  text(text) {
    return this.u8(...Buffer.from(text));
  }

  short(text) {
    return this.u8(Buffer.byteLength(text)).text(text);
  }

  get buffer() {
    return Uint8Array.from(this.bytes).buffer;
  }
}

export const SIZE = { width: 512, height: 256 };

export function welcome(greeting) {
  const { epoch = "E", seq = 0, head = seq, resumed = false, size = SIZE, userId = "me", limit = null, locked = [] } = greeting;
  const frame = new Frame(0x81).u8((resumed ? 1 : 0) | (limit ? 2 : 0)).u16(size.width, size.height).u32(0xffffff);
  frame.u64(seq, head).u8(...new Uint8Array(Float64Array.of(limit?.perSecond ?? 0).buffer)).u32(limit?.burst ?? 0, 1);
  frame.short(epoch).short(userId).u16(1).short(userId);
  return frame.text(JSON.stringify({ names: {}, read_only: false, palette: null, cooldown: null, locked })).buffer;
}

/** @param {Record<number, number[]>} tiles their one colour (red, green, blue) by number, or all their bytes */
export function snapshot({ seq = 0, area = { x: 0, y: 0, ...SIZE }, tiles = {}, whole = true }) {
  const head = new Frame(0x82).u8(whole ? 1 : 0).u64(seq).u16(area.x, area.y, area.width, area.height);
  head.u16(Object.keys(tiles).length);
  const parts = [Buffer.from(head.buffer)];
  for (const [number, colors] of Object.entries(tiles)) {
    const data = zlib.deflateSync(Buffer.alloc(256 * 256 * 3, Buffer.from(colors)));
    parts.push(Buffer.from(new Frame(number & 255).u8(number >> 8).u32(data.length).buffer), data);
  }
  return Uint8Array.from(Buffer.concat(parts)).buffer;
}

/** @param {[number, number, number, string][]} pixels x, y, packed colour, user */
export function changes(after, pixels, upto = after + pixels.length) {
  const users = [...new Set(pixels.map(([, , , user]) => user))];
  const frame = new Frame(0x83).u64(after, upto).u16(users.length);
  for (const user of users) frame.short(user);
  for (const [x, y, color, user] of pixels) {
    frame.u16(x, y, users.indexOf(user)).u8(color & 255, (color >> 8) & 255, (color >> 16) & 255);
  }
  return frame.buffer;
}

export const ack = (id, seq) => new Frame(0x88).u32(id).u64(seq).buffer;

export function refusal(id, code, { retryAfter = 0, pixels = [], message = "" } = {}) {
  const frame = new Frame(0x89).u32(id, retryAfter).u16(pixels.length);
  for (const [x, y] of pixels) frame.u16(x, y);
  return frame.short(code).u16(message.length).text(message).buffer;
}

export const heartbeat = () => new Frame(0x8a).buffer;
export const error = (code) => new Frame(0x86).short(code).short("").u16(0).buffer;

/** Pixels that the page has sent on a socket, message by message. */
export function messages({ sent }) {
  return sent.filter((frame) => frame[0] === 0x04).map(read);
}

function read(frame) {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const pixels = [];
  for (let at = 5; at < frame.length; at += 7) {
    const rgb = frame[at + 4] | (frame[at + 5] << 8) | (frame[at + 6] << 16);
    pixels.push([view.getUint16(at, true), view.getUint16(at + 2, true), (0xff000000 | rgb) >>> 0]);
  }
  return { id: view.getUint32(1, true), pixels };
}
