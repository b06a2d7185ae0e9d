/** The countdown: begun by a pixel, corrected by the server, and told when it is over. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { clock } from "./browser.mjs";
import { Cooldown, format, wait } from "../../../canvas/web/static/paint/cooldown.js";

const stored = new Map();
Object.defineProperty(globalThis, "localStorage", {
  value: { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) },
  configurable: true,
});

beforeEach(() => {
  clock.reset();
  stored.clear();
});

function begun(shortest, longest) {
  const [dock, label] = [document.getElementById("dock"), document.getElementById("wait")];
  const cooldown = new Cooldown(dock, label);
  cooldown.adopt({ shortest, longest });
  let ready = 0;
  cooldown.onover = (wasLong) => (ready += Number(wasLong));
  return { cooldown, label, ready: () => ready };
}

test("the end of a long wait is told once, of a short one not at all", () => {
  for (const [seconds, told] of [[10, 1], [1, 0]]) {
    const { cooldown, label, ready } = begun(seconds, seconds);
    cooldown.begin(1);
    assert.equal(label.textContent, format(seconds * 1000 + 250));
    clock.advance(seconds * 1000);
    assert.deepEqual([cooldown.left > 0, ready()], [true, 0]);
    clock.advance(2000);
    assert.deepEqual([cooldown.left, ready(), label.hidden], [0, told, true]);
  }
});

test("the server knows better than the page how long the wait is", () => {
  const { cooldown } = begun(1, 30);
  cooldown.begin(1);
  assert.equal(cooldown.left, 1250);
  cooldown.begin(1, 17_000);
  assert.equal(cooldown.left, 17_250);
});

test("whoever shows the wait hears of each second of it, and of a canvas without", () => {
  const { cooldown } = begun(2, 2);
  const heard = [];
  cooldown.onchange = () => heard.push(cooldown.applies && Math.ceil(cooldown.left / 1000));
  cooldown.begin(1);
  clock.advance(3000);
  cooldown.adopt(null);
  assert.deepEqual(heard, [3, 2, 1, 0, false]);
});

test("the wait grows with the crowd", () => {
  const rule = { shortest: 1, longest: 30 };
  assert.deepEqual([0, 1, 1000, 5000].map((people) => wait(rule, people)), [1000, 1000, 30_000, 30_000]);
});

test("a window that is loaded again goes on with the wait, but for no longer than the rule", () => {
  begun(10, 10).cooldown.begin(1);
  clock.advance(4000);
  assert.equal(begun(10, 10).cooldown.left, 6250);
  assert.equal(begun(2, 2).cooldown.left, 2250);
});
