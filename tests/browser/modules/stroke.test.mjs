/** Undo and redo of strokes, against the picture a random history should leave. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Strokes } from "../../../canvas/web/static/paint/stroke.js";

const WIDTH = 8;

/** A picture that is painted at once. */
function newPicture() {
  const colors = new Array(WIDTH * WIDTH).fill(0);
  const picture = {
    width: WIDTH,
    contains: (x, y) => x >= 0 && y >= 0 && x < WIDTH && y < WIDTH,
    at: (x, y) => colors[y * WIDTH + x],
  };
  let allowed = Infinity;
  const paint = (x, y, color) => {
    if (colors[y * WIDTH + x] === color || allowed === 0) return false;
    colors[y * WIDTH + x] = color;
    allowed -= 1;
    return true;
  };
  const allow = (count) => (allowed = count);
  return { colors, paint, allow, strokes: new Strokes(picture, paint, () => allowed === 0) };
}

function draw(strokes, from, to, color) {
  strokes.begin(from, color);
  strokes.to(to);
  strokes.end();
}

test("undo and redo restore every picture of a random history", () => {
  let seed = 12;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const { colors, strokes } = newPicture();
  let past = [[...colors]];
  let at = 0;
  for (let step = 0; step < 2000; step++) {
    const kind = random(3);
    if (kind === 0 && past.length < 90) {
      draw(strokes, { x: random(8), y: random(8) }, { x: random(8), y: random(8) }, 1 + random(4));
      if (String(colors) === String(past[at])) continue; // nothing new: no stroke
      past = [...past.slice(0, ++at), [...colors]];
    } else if (kind === 1) assert.equal(strokes.undo(), at > 0 && Boolean(at--));
    else assert.equal(strokes.redo(), at < past.length - 1 && Boolean(++at));
    assert.deepEqual(colors, past[at]);
  }
});

test("undo and redo leave what somebody else has painted since", () => {
  const { colors, paint, strokes } = newPicture();
  draw(strokes, { x: 0, y: 0 }, { x: 3, y: 0 }, 5);
  paint(1, 0, 9);
  assert.ok(strokes.undo());
  assert.deepEqual(colors.slice(0, 4), [0, 9, 0, 0]);
  paint(2, 0, 8);
  assert.ok(strokes.redo());
  assert.deepEqual(colors.slice(0, 4), [5, 9, 8, 5]);
  assert.equal(strokes.redo(), false);
});

test("where pixels wait for each other, undo and redo go pixel by pixel, and forget none", () => {
  const { colors, allow, strokes } = newPicture();
  draw(strokes, { x: 0, y: 0 }, { x: 2, y: 0 }, 5);
  for (const [step, expected] of [
    ["undo", [0, 5, 5]], ["undo", [0, 0, 5]], ["redo", [0, 5, 5]], ["undo", [0, 0, 5]], ["undo", [0, 0, 0]],
    ["redo", [0, 0, 5]], ["redo", [0, 5, 5]], ["redo", [5, 5, 5]], ["undo", [0, 5, 5]],
  ]) {
    allow(1);
    assert.ok(strokes[step]());
    assert.deepEqual(colors.slice(0, 3), expected);
  }
});

test("undo takes back the stroke that is being drawn, and the rest of it paints nothing", () => {
  const { colors, strokes } = newPicture();
  strokes.begin({ x: 0, y: 0 }, 5);
  strokes.to({ x: 3, y: 0 });
  assert.ok(strokes.undo());
  strokes.to({ x: 7, y: 0 });
  strokes.end();
  assert.ok(colors.every((color) => color === 0));
  assert.ok(strokes.redo());
  assert.deepEqual(colors.slice(0, 5), [5, 5, 5, 5, 0]);
});

test("a jump leaves a gap", () => {
  const { colors, strokes } = newPicture();
  strokes.begin({ x: 0, y: 0 }, 5);
  strokes.jump({ x: 6, y: 0 });
  strokes.to({ x: 7, y: 0 });
  strokes.end();
  assert.deepEqual(colors.slice(0, 8), [5, 0, 0, 0, 0, 0, 5, 5]);
});
