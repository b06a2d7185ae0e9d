/** What a page may send, where it may paint, and what it asks for: `pace`, `rules` and `lookout`. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { span } from "../../../canvas/web/static/net/lookout.js";
import { Pace } from "../../../canvas/web/static/net/pace.js";
import { Rules } from "../../../canvas/web/static/paint/rules.js";

const taken = (pace, now, reserve) => {
  let count = 0;
  while (pace.take(now, reserve)) count += 1;
  return count;
};

test("a burst is 85 % of the server's, and fills up at 85 % of its rate", () => {
  const pace = new Pace({ perSecond: 100, burst: 200 });
  assert.equal(taken(pace, 0), 170);
  assert.equal(taken(pace, 1000), 85);
  assert.equal(taken(pace, 1_000_000), 170);
});

test("no second sends more than the server allows", () => {
  const pace = new Pace({ perSecond: 100, burst: 10 });
  let sent = 0;
  for (let now = 0; now <= 10_000; now += 7) sent += taken(pace, now);
  assert.ok(sent > 850 && sent <= 858, String(sent));
});

test("a reserve is left, but does not keep a small burst from being used", () => {
  const pace = new Pace({ perSecond: 100, burst: 100 });
  assert.deepEqual([taken(pace, 0, 20), taken(pace, 0)], [65, 20]);
  const small = new Pace({ perSecond: 1, burst: 2 });
  assert.equal(taken(small, 0, 20), 1);
});

test("what was spent stays spent under another limit, and a new connection begins anew", () => {
  const pace = new Pace({ perSecond: 100, burst: 100 });
  assert.equal(taken(pace, 0), 85);
  pace.limit({ perSecond: 10, burst: 1000 }, 0);
  assert.equal(taken(pace, 0), 0);
  assert.equal(pace.wait(0), 1000 / 8.5);
  pace.refill();
  assert.equal(taken(pace, 0), 850);
});

test("while it is held nothing is sent", () => {
  const pace = new Pace({ perSecond: 1000, burst: 10 });
  pace.hold(0, 500);
  assert.equal(taken(pace, 499), 0);
  assert.ok(pace.wait(0) >= 500);
  assert.ok(pace.take(600));
});

test("without a limit a page does not flood", () => assert.equal(taken(new Pace(null), 0), 850));

test("rules tell the server's word for a refusal", () => {
  const rules = new Rules();
  assert.equal(rules.refusal(0, 0, 1), null);
  const set = { readOnly: false, palette: [1, 2], cooldown: null, locked: [{ x: 1, y: 1, width: 2, height: 1 }] };
  assert.deepEqual([rules.adopt(set), rules.adopt({ ...set })], [true, false]);
  const cells = [[0, 1], [1, 1], [2, 1], [3, 1], [1, 0], [1, 2]];
  assert.deepEqual(cells.map(([x, y]) => rules.refusal(x, y, 1)), [null, "area_locked", "area_locked", null, null, null]);
  assert.deepEqual([rules.refusal(1, 1, 3), rules.allows(2), rules.allows(3)], ["color_not_allowed", true, false]);
  assert.equal(rules.adopt({ ...set, readOnly: true }), true);
  assert.equal(rules.refusal(0, 0, 1), "read_only");
});

test("what is asked for is whole tiles, within the canvas, around what is seen, and not too much", () => {
  for (const size of [1, 255, 256, 1000, 10_000]) {
    for (let low = 0; low < size; low += 97) {
      for (const long of [1, 300, 2000, 9_000]) {
        const high = Math.min(size, low + long);
        const [begin, length] = span(low, high, size);
        const middle = (low + high) / 2;
        assert.ok(begin >= 0 && length > 0 && begin + length <= size && length <= 12 * 256 + 255, `${[low, high, size]}`);
        assert.ok(begin % 256 === 0 || begin === size - 256, `${[low, high, size]}`);
        assert.ok(begin <= middle && middle <= begin + length, `${[low, high, size]}`);
        if (long <= 2000) assert.ok(begin <= low && high <= begin + length, `${[low, high, size]}`);
      }
    }
  }
});
