/** Own pixels: under way once at most, and over by a change, an acknowledgement or a refusal. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ACK_TIMEOUT, Pending } from "../../../canvas/web/static/net/pending.js";

function painted(...colors) {
  const pending = new Pending();
  colors.forEach((color, index) => pending.put(index, color, 0));
  return pending;
}

const counts = ({ size, queued, inFlight }) => [size, queued, inFlight];

test("an acknowledgement ends the pixels of its message once its change is known", () => {
  const pending = painted(7, 8, 9);
  const { id } = pending.take(2, 0);
  pending.acknowledge(id, 5, 0);
  assert.deepEqual(pending.reach(4), []);
  assert.deepEqual(counts(pending), [3, 1, 2]);
  assert.deepEqual(pending.reach(5), [0, 1]);
  assert.deepEqual(counts(pending), [1, 1, 0]);
});

test("an own change ends a pixel, and the acknowledgement behind it changes nothing", () => {
  const pending = painted(7);
  const { id } = pending.take(1, 0);
  pending.land(0, 8, 0);
  assert.ok(pending.has(0)); // another window of ours painted that
  pending.land(0, 7, 0);
  assert.ok(!pending.has(0));
  pending.put(0, 9, 7);
  const second = pending.take(1, 0);
  pending.acknowledge(id, 1, 0);
  assert.deepEqual(pending.reach(9), []);
  pending.acknowledge(second.id, 2, 0);
  assert.deepEqual(pending.reach(9), [0]);
});

test("a newer colour waits until the older one is over, however that ends", () => {
  const ends = {
    "own change": (pending) => pending.land(0, 7, 0),
    acknowledgement: (pending, id) => (pending.acknowledge(id, 1, 0), assert.deepEqual(pending.reach(1), [])),
    refusal: (pending, id) => assert.deepEqual(pending.refuse(id, null, 0), []),
    repetition: (pending, id) => {
      pending.put(0, 7, 0);
      pending.settle(0);
      pending.put(0, 8, 0);
      assert.deepEqual(pending.takeRepeat(), { id, pixels: [{ index: 0, color: 7 }] });
      pending.land(0, 7, 0);
    },
  };
  for (const [name, end] of Object.entries(ends)) {
    const pending = painted(7);
    const { id } = pending.take(1, 0);
    pending.put(0, 8, 0);
    assert.deepEqual(counts(pending), [1, 0, 1], name);
    end(pending, id);
    assert.deepEqual(pending.take(1, 0).pixels, [{ index: 0, color: 8 }], name);
  }
});

test("a refusal names its pixels, and only those of its message count", () => {
  const pending = painted(7, 8, 9);
  const first = pending.take(2, 0);
  const second = pending.take(1, 0);
  assert.deepEqual(pending.refuse(first.id, [1, 2], 0), [1]);
  assert.deepEqual(pending.refuse(second.id, null, 0), [2]);
  assert.deepEqual(pending.refuse(first.id, [1], 0), []);
  assert.deepEqual(pending.refuse(4711, null, 0), []);
  assert.deepEqual([...pending.colors()], [[0, 7]]);
});

test("what is postponed is sent again under another id", () => {
  const pending = painted(7, 8);
  const { id } = pending.take(2, 0);
  pending.postpone(id, [1], 0);
  assert.deepEqual(counts(pending), [2, 1, 1]);
  const again = pending.take(1, 0);
  assert.notEqual(again.id, id);
  assert.deepEqual(again.pixels, [{ index: 1, color: 8 }]);
});

test("what was under way is sent again, under the same id, message by message", () => {
  const pending = painted(7, 8, 9, 10);
  const first = pending.take(2, 0);
  const second = pending.take(1, 0);
  pending.land(0, 7, 0);
  assert.equal(pending.repeat, 0);
  assert.deepEqual(pending.settle(0), []);
  assert.deepEqual(counts(pending), [3, 1, 2]);
  assert.equal(pending.repeat, 1);
  assert.deepEqual(pending.takeRepeat(), { id: first.id, pixels: [{ index: 1, color: 8 }] });
  pending.acknowledge(second.id, 1, 0);
  assert.deepEqual(pending.reach(1), [2]);
  assert.equal(pending.repeat, 0); // it is over before it was sent again
  const third = pending.take(1, 0);
  assert.ok(third.id > second.id);
});

test("a pixel that is sent again in vain is given up; one that got through, or met silence, counts anew", () => {
  const pending = painted(7);
  pending.take(1, 0);
  for (let i = 0; i < 5; i++) {
    pending.excuse();
    assert.deepEqual(pending.settle(0), []);
    pending.takeRepeat();
  }
  for (let i = 0; i < 2; i++) assert.deepEqual(pending.settle(0), []);
  pending.put(0, 8, 0);
  pending.land(0, 7, 0);
  pending.take(1, 0);
  for (let i = 0; i < 2; i++) assert.deepEqual(pending.settle(0), []);
  assert.deepEqual(pending.settle(0), [0]);
  assert.deepEqual(counts(pending), [0, 0, 0]);
  assert.equal(pending.repeat, 0);
});

test("what waits in the queue is not settled, whatever colour it has", () => {
  const pending = painted(0, 0, 0); // erasures
  pending.take(1, 0);
  assert.deepEqual(pending.settle(0), []);
  assert.deepEqual(counts(pending), [3, 2, 1]);
});

test("wanting back what the server has, before it was sent, is wanting nothing", () => {
  const pending = painted(7);
  pending.put(0, 0, 0);
  assert.deepEqual(counts(pending), [0, 0, 0]);
});

test("silence is overdue only while something is under way, and from the last sign of life", () => {
  const pending = painted(7, 8, 9);
  assert.ok(!pending.isOverdue(10 * ACK_TIMEOUT));
  pending.take(1, 1000);
  pending.take(1, 2000);
  assert.ok(!pending.isOverdue(999 + ACK_TIMEOUT));
  assert.ok(pending.isOverdue(1000 + ACK_TIMEOUT));
  pending.land(0, 7, 5000);
  assert.ok(!pending.isOverdue(4999 + ACK_TIMEOUT));
  assert.ok(pending.isOverdue(5000 + ACK_TIMEOUT));
  pending.land(1, 8, 6000);
  assert.ok(!pending.isOverdue(10 * ACK_TIMEOUT));
  pending.take(1, 100_000);
  assert.ok(!pending.isOverdue(99_999 + ACK_TIMEOUT));
  pending.settle(200_000);
  assert.ok(!pending.isOverdue(199_999 + ACK_TIMEOUT));
});
