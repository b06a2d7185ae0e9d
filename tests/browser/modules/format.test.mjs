/** Numbers of the console: few digits, always a unit, and a dash for what is not known. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../supervision/console/web/static/format.js";

const SHOWN = {
  count: [[null, "–"], [0, "0"], [1234567, "1,234,567"], [2.6, "3"]],
  rate: [[null, "–"], [0, "0"], [0.1234, "0.123"], [9.99, "9.99"], [10.4, "10"], [9999, "9,999"], [12345, "12.3K"]],
  bytes: [[null, "–"], [0, "0 B"], [1023, "1,020 B"], [1024, "1 KiB"], [1536, "1.5 KiB"], [5 * 2 ** 30, "5 GiB"], [2 ** 60, "1,050,000 TiB"]],
  percent: [[null, "–"], [0, "0 %"], [0.0123, "1.2 %"], [0.5, "50 %"], [1, "100 %"]],
  seconds: [
    [null, "–"], [0, "0 s"], [0.0000123, "12.3 µs"], [0.0123, "12.3 ms"], [1.234, "1.23 s"], [59.4, "59 s"], [61, "1 min 1 s"],
    [3600, "1 h 0 min"], [86_399, "23 h 59 min"], [90_000, "1 d 1 h"],
  ],
  title: [["open files", "Open files"], ["", ""]],
  anything: [
    [null, "–"], [undefined, "–"], [12345, "12,345"], [1.23456, "1.23"], [true, "yes"], [false, "no"], ["text", "text"], [[1], "[1]"],
    [{ amount: 2048, unit: "bytes" }, "2 KiB"], [{ amount: 90, unit: "seconds" }, "1 min 30 s"], [{ amount: 5, unit: "other" }, "5"],
  ],
};
for (const [name, cases] of Object.entries(SHOWN)) {
  for (const [value, shown] of cases) {
    test(`${name} of ${JSON.stringify(value)} is ${shown}`, () => assert.equal(format[name](value), shown));
  }
}

test("a level warns from its threshold on", () => {
  assert.deepEqual([null, 0.79, 0.8, 0.94, 0.95].map((value) => format.level("cpu", value)), ["", "", "warning", "warning", "bad"]);
});

test("times say how long ago they were, and which day if it was another one", () => {
  const now = 1_700_000_000;
  assert.deepEqual([0, 0.9, 1, 61.5].map((past) => format.ago(now - past, now)), ["just now", "just now", "1 s ago", "1 min 1 s ago"]);
  assert.equal(format.moment(now - 3600, now), format.time(now - 3600));
  assert.match(format.time(now), /^\d\d:\d\d:\d\d$/);
  assert.match(format.moment(now - 86_400, now), /^1[234] Nov \d\d:\d\d:\d\d$/);
});

test("words go with their numbers", () => {
  assert.deepEqual([0, 1, 1000].map((number) => format.plural(number, "restart")), ["0 restarts", "1 restart", "1,000 restarts"]);
  assert.equal(format.plural(2, "child", "children"), "2 children");
  assert.deepEqual([format.usage(1024, 2048, "bytes"), format.usage(1, 2000, "none")], ["1 KiB of 2 KiB", "1 of 2,000"]);
  assert.deepEqual([null, "ann"].map((asked_by) => format.why({ reason: "killed", asked_by })), ["killed", "killed: requested by ann"]);
});

test("a quantity is told from other objects", () => {
  assert.deepEqual([{ amount: 1 }, {}, null, 1].map((value) => format.isQuantity(value)), [true, false, false, false]);
});
