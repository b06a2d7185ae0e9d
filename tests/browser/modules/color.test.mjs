/** Packed colours are pixels of a little-endian RGBA buffer, and go back to the text they came from. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { hex, isLight, pack, userColor } from "../../../canvas/web/static/paint/color.js";

const EDGES = ["#000000", "#FFFFFF", "#FF0000", "#00FF00", "#0000FF", "#010203", "#00000A", "#ABCDEF"];

for (const text of EDGES) {
  test(`${text} is an opaque pixel`, () => {
    const bytes = new Uint8Array(Uint32Array.of(pack(text)).buffer);
    assert.deepEqual([...bytes], [...[1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)), 255]);
  });
  test(`${text} comes back as it was`, () => assert.equal(hex(pack(text)), text));
}

test("any number of colours are packed right, though only some are remembered", () => {
  for (let rgb = 0; rgb < 0x1000000; rgb += 997) {
    const text = `#${rgb.toString(16).padStart(6, "0").toUpperCase()}`;
    assert.equal(hex(pack(text)), text);
  }
});

test("a mark is dark on a light colour, and light on a dark one", () => {
  const light = ["#FFFFFF", "#FFFF00", "#00FF00", "#C0C0C0"];
  const dark = ["#000000", "#0000FF", "#800000", "#404040"];
  assert.deepEqual([...light, ...dark].map((text) => isLight(pack(text))), [...light.map(() => true), ...dark.map(() => false)]);
});

test("a person has one colour, and ids that differ little have colours that differ", () => {
  const hues = Array.from({ length: 100 }, (_, i) => userColor(`user-${i}`));
  assert.equal(userColor("user-1"), hues[1]);
  assert.ok(new Set(hues).size > 70);
  for (const color of hues) assert.match(color, /^oklch\(0\.56 0\.17 ([1-2]?\d?\d|3[0-5]\d)\)$/);
});
