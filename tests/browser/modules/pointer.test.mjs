/** Mouse, pen, fingers and wheel: what draws, what moves the view, and what does neither. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { board, recorder, runTimers, send } from "./input.mjs";
import { Pointer } from "../../../canvas/web/static/view/pointer.js";

const NAMES = ["mode", "begin", "move", "end", "cancel", "hover", "tap", "pan", "zoom"];
const panel = Object.assign(new EventTarget());
let intents;
let pointer;
let now;

beforeEach(() => {
  intents = recorder(NAMES, { mode: () => "draw" });
  const fresh = Object.assign(new EventTarget(), { setPointerCapture() {}, classList: board.classList });
  pointer = new Pointer(fresh, intents);
  pointer.board = fresh;
  now = 1000;
});

function point(kind, type, id, x, y, { after = 0, target = pointer.board, ...fields } = {}) {
  now += after;
  const pressed = { button: kind === "move" ? -1 : 0, buttons: 1, ctrlKey: false, shiftKey: false };
  send(`pointer${kind}`, { pointerType: type, pointerId: id, clientX: x, clientY: y, timeStamp: now, ...pressed, ...fields }, target);
}

/** The intents in order, but for hovering and asking. */
function done() {
  return intents.calls.map(([name]) => name).filter((name) => name !== "hover" && name !== "mode").join(" ");
}

function stroke(type, id, x) {
  point("down", type, id, x, 10);
  runTimers();
  point("move", type, id, x + 20, 10, { after: 300 });
  point("up", type, id, x + 20, 10);
}

test("mouse, pen and finger draw", () => {
  for (const type of ["mouse", "touch", "pen"]) {
    intents.calls.length = 0;
    stroke(type, 1, 10);
    assert.equal(done(), "begin move end", type);
  }
});

test("the secondary button, the middle button, and Ctrl with the first do not draw", () => {
  for (const fields of [{ button: 2 }, { button: 1 }, { button: 0, ctrlKey: true }]) {
    intents.calls.length = 0;
    point("down", "mouse", 1, 10, 10, fields);
    point("move", "mouse", 1, 40, 10);
    point("up", "mouse", 1, 40, 10);
    assert.equal(done(), "pan");
  }
});

test("a move tells where the pointer was, so that a view that moved meanwhile leaves no line", () => {
  point("down", "mouse", 1, 10, 10);
  point("move", "mouse", 1, 20, 10);
  point("move", "mouse", 1, 35, 10);
  const moves = intents.calls.filter(([name]) => name === "move");
  assert.deepEqual(moves.map(([, from, [to]]) => [from.x, to.x]), [[10, 20], [20, 35]]);
});

test("once a pen was seen, fingers move the view and taps do nothing", () => {
  stroke("pen", 1, 10);
  intents.calls.length = 0;
  stroke("touch", 2, 100);
  assert.equal(done(), "pan");
  intents.calls.length = 0;
  point("down", "touch", 3, 200, 200);
  point("up", "touch", 3, 200, 200);
  assert.equal(done(), "");
});

test("a pen that hovers was seen", () => {
  point("move", "pen", 1, 10, 10, { buttons: 0 });
  stroke("touch", 2, 100);
  assert.equal(done(), "pan");
});

test("fingers draw again when they are trusted again", () => {
  stroke("pen", 1, 10);
  pointer.trustFingers();
  intents.calls.length = 0;
  stroke("touch", 2, 100);
  assert.equal(done(), "begin move end");
});

for (const palms of [1, 2]) {
  test(`${palms} palm touches while the pen draws change nothing`, () => {
    point("down", "pen", 1, 10, 10);
    for (let id = 2; id < 2 + palms; id++) point("down", "touch", id, 300 + id, 300);
    runTimers();
    point("move", "touch", 2, 320, 320);
    for (let x = 20; x <= 60; x += 10) point("move", "pen", 1, x, 10);
    for (let id = 2; id < 2 + palms; id++) point("up", "touch", id, 300, 300);
    point("move", "pen", 1, 70, 10);
    point("up", "pen", 1, 70, 10);
    assert.equal(done(), `begin ${"move ".repeat(6)}end`);
  });

  test(`the pen draws although ${palms} palm touches were there first, and what the palm drew is taken back`, () => {
    for (let id = 2; id < 2 + palms; id++) point("down", "touch", id, 300, 300);
    runTimers();
    const before = done();
    point("down", "pen", 1, 10, 10, { after: 900 });
    point("move", "touch", 2, 320, 320);
    point("move", "pen", 1, 20, 10);
    point("up", "touch", 2, 320, 320);
    point("up", "pen", 1, 20, 10);
    assert.equal(before, palms === 1 ? "begin" : "end");
    assert.equal(done(), palms === 1 ? "begin cancel end begin move end" : "end begin move end");
  });
}

test("a second finger soon after the first means that the first did not draw, on the board and on a panel", () => {
  for (const target of [pointer.board, panel]) {
    for (const [after, expected] of [[0, "end"], [150, "begin cancel end"], [400, "begin end"]]) {
      intents.calls.length = 0;
      point("down", "touch", 1, 10, 10);
      if (after > 0) runTimers();
      point("down", "touch", 2, 100, 100, { after, target });
      point("up", "touch", 1, 10, 10);
      point("up", "touch", 2, 100, 100, { target });
      assert.equal(done(), expected, `${after} ms`);
    }
  }
});

test("a press on a panel does not disturb a mouse's or a pen's stroke", () => {
  for (const type of ["mouse", "pen"]) {
    intents.calls.length = 0;
    point("down", type, 1, 10, 10);
    point("down", "touch", 2, 100, 100, { target: panel });
    point("move", type, 1, 20, 10);
    point("up", type, 1, 20, 10);
    assert.equal(done(), "begin move end");
  }
});

function wheel(fields) {
  intents.calls.length = 0;
  const still = { deltaX: 0, deltaY: 0, deltaMode: 0, ctrlKey: false, shiftKey: false, clientX: 5, clientY: 5 };
  assert.ok(send("wheel", { ...still, ...fields }, pointer.board));
  const [name, amount] = intents.calls[0];
  return [name, Math.round(amount * 100) / 100];
}

const WHEELS = [
  ["a notch", { deltaY: -100 }, "zoom", 1.2],
  ["a notch with Ctrl", { deltaY: -100, ctrlKey: true }, "zoom", 1.2],
  ["a notch down with Ctrl", { deltaY: 100, ctrlKey: true }, "zoom", 0.84],
  ["three lines", { deltaY: -3, deltaMode: 1 }, "zoom", 1.1],
  ["three lines with Ctrl", { deltaY: -3, deltaMode: 1, ctrlKey: true }, "zoom", 1.1],
  ["a page", { deltaY: -1, deltaMode: 2 }, "zoom", 1.24],
  ["a touchpad's pinch", { deltaY: -4, ctrlKey: true }, "zoom", 1.04],
  ["sideways", { deltaX: 40, deltaY: 3 }, "pan", -40],
  ["a notch with Shift", { deltaY: 100, shiftKey: true }, "pan", -100],
  ["a notch with Shift that the system turned sideways", { deltaX: 100, shiftKey: true }, "pan", -100],
];
for (const [name, fields, intent, amount] of WHEELS) {
  test(`wheel: ${name}`, () => assert.deepEqual(wheel(fields), [intent, amount]));
}

test("a pinch over a panel does not zoom the page, and a scroll there scrolls", () => {
  assert.equal(send("wheel", { ctrlKey: true, deltaY: -4 }, panel), true);
  assert.equal(send("wheel", { ctrlKey: false, deltaY: 40 }, panel), false);
});
