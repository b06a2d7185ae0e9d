/** The maths of the view: points go there and back, a zoom keeps its point, and no view leaves its bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  MAX_ZOOM, blend, clamp, fit, formatHash, nextStop, parseHash, toCanvas, toScreen, zoomAt,
} from "../../../canvas/web/static/view/viewport.js";

const SCREEN = { width: 800, height: 600 };
const VIEWS = [{ x: 0, y: 0, zoom: 1 }, { x: 12.5, y: -3, zoom: 0.05 }, { x: 9_999, y: 500.25, zoom: 64 }];
const POINTS = [{ x: 0, y: 0 }, { x: 400, y: 300 }, { x: 799, y: 1 }];

function near(found, wanted) {
  for (const key of Object.keys(wanted)) assert.ok(Math.abs(found[key] - wanted[key]) < 1e-6, `${key}: ${found[key]}, ${wanted[key]}`);
}

test("the middle of the screen shows the point of the view", () => {
  for (const { x, y, zoom } of VIEWS) near(toCanvas({ x, y, zoom }, SCREEN, { x: 400, y: 300 }), { x, y });
});

test("a point goes to the canvas and back", () => {
  for (const view of VIEWS) for (const at of POINTS) near(toScreen(view, SCREEN, toCanvas(view, SCREEN, at)), at);
});

test("a zoom keeps the canvas point under the pointer", () => {
  for (const view of VIEWS) {
    for (const at of POINTS) {
      const zoomed = zoomAt(view, SCREEN, at, 7);
      assert.equal(zoomed.zoom, 7);
      near(toCanvas(zoomed, SCREEN, at), toCanvas(view, SCREEN, at));
    }
  }
});

test("the whole canvas fits between the panels", () => {
  const insets = { top: 10, right: 200, bottom: 90, left: 20 };
  for (const board of [{ width: 1000, height: 1000 }, { width: 10_000, height: 10 }, { width: 1, height: 1 }]) {
    const view = fit(board, SCREEN, insets);
    const [first, last] = [toScreen(view, SCREEN, { x: 0, y: 0 }), toScreen(view, SCREEN, { x: board.width, y: board.height })];
    assert.ok(first.x >= 20 - 1e-6 && first.y >= 10 - 1e-6 && last.x <= 600 + 1e-6 && last.y <= 510 + 1e-6);
    near({ x: first.x - 20, y: first.y - 10 }, { x: 600 - last.x, y: 510 - last.y });
    assert.ok(view.zoom <= MAX_ZOOM);
  }
});

test("panels that leave no room leave 50 pixels", () => {
  const view = fit({ width: 100, height: 100 }, SCREEN, { top: 600, right: 800, bottom: 600, left: 800 });
  assert.equal(view.zoom, 0.5);
});

test("a view stays within the canvas, its slack and its zooms", () => {
  const [board, slack] = [{ width: 100, height: 50 }, { x: 40, y: 20 }];
  assert.deepEqual(clamp({ x: -1e9, y: 1e9, zoom: 1e9 }, board, 0.5, slack), { x: -40 / 64, y: 50 + 20 / 64, zoom: 64 });
  assert.deepEqual(clamp({ x: 1e9, y: -1e9, zoom: 0 }, board, 0.5, slack), { x: 180, y: -40, zoom: 0.5 });
  assert.deepEqual(clamp({ x: 7, y: 8, zoom: 2 }, board, 0.5, slack), { x: 7, y: 8, zoom: 2 });
});

test("steps of the zoom go from stop to stop, and end", () => {
  const up = [0.05];
  while (nextStop(up.at(-1), 1) !== up.at(-1)) up.push(nextStop(up.at(-1), 1));
  assert.deepEqual([up[1], up.at(-1), up.length], [0.1, 64, 16]);
  const down = [64];
  while (nextStop(down.at(-1), -1) !== down.at(-1)) down.push(nextStop(down.at(-1), -1));
  assert.deepEqual(down, up.toReversed?.() ?? [...up].reverse());
  assert.deepEqual([nextStop(5, 1), nextStop(5, -1), nextStop(3.999, 1)], [6, 4, 6]);
});

test("a view on the way begins and ends right, and keeps a fixed point fixed", () => {
  const [from, at] = [{ x: 10, y: 20, zoom: 1 }, { x: 100, y: 50 }];
  const to = zoomAt(from, SCREEN, at, 16);
  near(blend(from, to, 0), from);
  near(blend(from, to, 1), to);
  near(toCanvas(blend(from, to, 0.3), SCREEN, at), toCanvas(from, SCREEN, at));
  near(blend(from, { x: 20, y: 0, zoom: 1 }, 0.5), { x: 15, y: 10, zoom: 1 });
});

test("the address holds a view", () => {
  assert.deepEqual(parseHash("#1.5,-2,8"), { x: 1.5, y: -2, zoom: 8 });
  assert.deepEqual(parseHash("#1%2C2"), { x: 1, y: 2, zoom: 16 });
  for (const hash of ["", "#", "#1", "#1,2,0", "#1,2,3,4", "#a,b", "#1..2,3", "#Infinity,1", "#1,2,-3"]) {
    assert.equal(parseHash(hash), null, hash);
  }
  assert.deepEqual([formatHash({ x: 1.26, y: 2, zoom: 8 }), formatHash({ x: 1.26, y: -0.4, zoom: 1.234 })], ["#1.3,2,8", "#1,0,1.23"]);
  for (const view of VIEWS.slice(0, 2)) near(parseHash(formatHash(view)), { zoom: view.zoom });
});
