/** Messages byte by byte, as docs/wire-protocol.md has them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { TILE, decode, encodeCursor, encodePixels, encodeSubscribe, inflate } from "../../../canvas/web/static/net/protocol.js";

const u16 = (value) => [value & 0xff, value >>> 8];
const u32 = (value) => [...u16(value & 0xffff), ...u16(value >>> 16)];
const u64 = (value) => [...u32(value % 2 ** 32), ...u32(Math.floor(value / 2 ** 32))];
const f64 = (value) => [...new Uint8Array(Float64Array.of(value).buffer)];
const utf8 = (text) => [...new TextEncoder().encode(text)];
const short = (text) => [utf8(text).length, ...utf8(text)];
const long = (text) => [...u16(utf8(text).length), ...utf8(text)];
const decoded = (...bytes) => decode(Uint8Array.from(bytes.flat()).buffer);

test("pixels, a cursor and an area are encoded", () => {
  const pixels = [{ x: 1, y: 0x0203, color: 0xff030201 }, { x: 9_999, y: 0, color: 0xffff00ff }];
  assert.deepEqual([...encodePixels(0xfedcba98, pixels)], [
    4, 0x98, 0xba, 0xdc, 0xfe, 1, 0, 3, 2, 1, 2, 3, 0x0f, 0x27, 0, 0, 0xff, 0, 0xff,
  ]);
  assert.deepEqual([...encodeCursor(258, 1)], [2, 2, 1, 1, 0]);
  assert.deepEqual([...encodeSubscribe({ x: 0, y: 1, width: 2, height: 0x1000 })], [3, 0, 0, 1, 0, 2, 0, 0, 0x10]);
});

const RULES = { names: { b: "Bé" }, read_only: false, palette: ["#FF0000"], cooldown: null, locked: [] };

test("a welcome is decoded", () => {
  const message = decoded(
    0x81, 3, u16(1000), u16(500), u32(0x112233), u64(2 ** 40 + 1), u64(2 ** 40 + 2), f64(99.5), u32(200), u32(2),
    short("e"), short("a"), u16(2), short("a"), short("b"), utf8(JSON.stringify(RULES)),
  );
  assert.deepEqual(message, {
    type: "welcome", userId: "a", width: 1000, height: 500, background: 0xff332211, epoch: "e", seq: 2 ** 40 + 1,
    head: 2 ** 40 + 2, resumed: true, users: ["a", "b"], names: { b: "Bé" }, userCount: 2,
    rateLimit: { perSecond: 99.5, burst: 200 },
    rules: { readOnly: false, palette: [0xff0000ff], cooldown: null, locked: [] },
  });
});

test("a welcome without a limit, a palette and a past says so", () => {
  const free = JSON.stringify({ ...RULES, palette: null });
  const message = decoded(0x81, 0, u16(1), u16(1), u32(0), u64(0), u64(0), f64(0), u32(0), u32(0), 0, 0, u16(0), utf8(free));
  assert.deepEqual([message.rateLimit, message.rules.palette, message.resumed, message.users], [null, null, false, []]);
});

test("a snapshot is decoded", () => {
  const message = decoded(0x82, 1, u64(7), u16(0), u16(256), u16(512), u16(256), u16(2), u16(4), u32(3), [1, 2, 3], u16(5), u32(0));
  assert.deepEqual({ ...message, tiles: message.tiles.map(({ number, data }) => [number, [...data]]) }, {
    type: "snapshot", seq: 7, whole: true, area: { x: 0, y: 256, width: 512, height: 256 }, tiles: [[4, [1, 2, 3]], [5, []]],
  });
});

test("changes are decoded, with who painted them", () => {
  const message = decoded(
    0x83, u64(10), u64(12), u16(2), short("ann"), short("bob"), u16(3), u16(4), u16(1), [1, 2, 3], u16(5), u16(6), u16(0), [0xff, 0, 0],
  );
  const seen = [];
  message.each((...change) => seen.push(change));
  assert.deepEqual([message.after, message.upto, seen], [10, 12, [[3, 4, 0xff030201, "bob"], [5, 6, 0xff0000ff, "ann"]]]);
});

const REST = [
  [[0x84, u16(2), 1, short("a"), short("Ann"), 0, short("b"), 0], {
    type: "presence", changes: [{ joined: true, userId: "a", name: "Ann" }, { joined: false, userId: "b", name: "" }],
  }],
  [[0x85, u16(1), u16(1), u16(2), short("a")], { type: "cursors", cursors: [{ x: 1, y: 2, userId: "a" }] }],
  [[0x86, short("bad"), short("x"), long("no é")], { type: "error", code: "bad", field: "x", message: "no é" }],
  [[0x86, short("bad"), 0, long("")], { type: "error", code: "bad", field: null, message: "" }],
  [[0x87, u32(2 ** 32 - 1)], { type: "user_count", count: 2 ** 32 - 1 }],
  [[0x88, u32(5), u64(2 ** 53 - 1)], { type: "ack", id: 5, seq: 2 ** 53 - 1 }],
  [[0x89, u32(5), u32(0), u16(0), short("read_only"), long("no")], {
    type: "refused", id: 5, code: "read_only", message: "no", retryAfter: null, pixels: null,
  }],
  [[0x89, u32(5), u32(250), u16(1), u16(3), u16(4), short("c"), long("m")], {
    type: "refused", id: 5, code: "c", message: "m", retryAfter: 250, pixels: [{ x: 3, y: 4 }],
  }],
  [[0x8a], { type: "heartbeat" }],
  [[0x7f, 1, 2, 3], null],
];
for (const [bytes, message] of REST) {
  test(`0x${bytes[0].toString(16)} is ${message?.type ?? "not known"}`, () => assert.deepEqual(decoded(...bytes), message));
}

test("a message that is cut off is an error, not half a message", () => {
  assert.throws(() => decoded(0x88, u32(5)), RangeError);
  assert.throws(() => decoded(0x89, u32(5), u32(0), u16(9)), RangeError);
});

test("a tile is inflated to packed colours", async () => {
  const rgb = new Uint8Array(3 * TILE * TILE);
  rgb.set([1, 2, 3, 0xff, 0, 0]);
  const deflated = new Response(new Blob([rgb]).stream().pipeThrough(new CompressionStream("deflate")));
  const colors = await inflate(new Uint8Array(await deflated.arrayBuffer()));
  assert.deepEqual([colors.length, colors[0], colors[1], colors.at(-1)], [TILE * TILE, 0xff030201, 0xff0000ff, 0xff000000]);
});
