/** Work of the console that is repeated: never twice at a time, and the slower it is the more rarely. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { clock, settled } from "./browser.mjs";
import { Pace } from "../../../supervision/console/web/static/pace.js";

beforeEach(() => clock.reset());

/** Work that a test ends. */
function work() {
  const ends = [];
  let most = 0;
  let running = 0;
  const begin = () => {
    running += 1;
    most = Math.max(most, running);
    return new Promise((resolve, reject) => ends.push([resolve, reject])).finally(() => (running -= 1));
  };
  return { begin, ends, most: () => most };
}

async function finish([resolve, reject], fails = false) {
  let turns = 5;
  if (fails) reject(new Error("no"));
  else resolve();
  await settled(() => turns-- === 0);
}

test("it is done once at a time, and once more for all who asked meanwhile", async () => {
  const { begin, ends, most } = work();
  const pace = new Pace(begin, 1000);
  const asked = [pace.now(), pace.now(), pace.now()];
  assert.equal(ends.length, 1);
  await finish(ends[0]);
  assert.equal(ends.length, 2);
  await finish(ends[1]);
  await Promise.all(asked);
  assert.deepEqual([ends.length, most()], [2, 1]);
});

test("a tick works when it is due, or early when that costs a tenth of the time at most", async () => {
  const { begin, ends } = work();
  const pace = new Pace(begin, 1000);
  pace.tick();
  clock.advance(50);
  await finish(ends[0]);
  const worked = [];
  for (const [ms, early] of [[440, true], [10, true]]) {
    clock.advance(ms);
    pace.tick(early);
    worked.push(ends.length);
  }
  await finish(ends[1]);
  for (const ms of [999, 1]) {
    clock.advance(ms);
    pace.tick();
    worked.push(ends.length);
  }
  assert.deepEqual(worked, [1, 2, 2, 3]);
});

test("slow work is due more rarely", async () => {
  const { begin, ends } = work();
  const pace = new Pace(begin, 1000);
  pace.tick();
  clock.advance(500);
  await finish(ends[0]);
  clock.advance(4499);
  pace.tick();
  assert.equal(ends.length, 1);
  clock.advance(1);
  pace.tick();
  assert.equal(ends.length, 2);
});

test("nothing is done while it is paused, hidden or closed, and an error is told unless it is closed", async () => {
  const { begin, ends } = work();
  const errors = [];
  const pace = Object.assign(new Pace(begin, 1000), { onerror: (error) => errors.push(error.message), paused: true });
  pace.tick();
  Object.assign(pace, { paused: false });
  document.hidden = true;
  pace.tick();
  document.hidden = false;
  assert.equal(ends.length, 0);
  pace.tick();
  await finish(ends[0], true);
  assert.deepEqual(errors, ["no"]);
  void pace.now();
  pace.close();
  await finish(ends[1], true);
  await pace.now();
  assert.deepEqual([errors, ends.length, pace.closed], [["no"], 2, true]);
});
