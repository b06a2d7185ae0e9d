/** The rows of the tree: what is unfolded, where a restarted actor stands, and for how long it is marked. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Fresh } from "../../../supervision/console/web/static/fresh.js";
import { Growth } from "../../../supervision/console/web/static/growth.js";

const node = (ref, label, children = [], count = children.length) => ({
  ref: String(ref), label, kind: "", state: "idle", restarts: 0, mailbox: 0, count, children,
});
const paths = ({ rows }) => rows.map(({ path }) => path);

test("few children are unfolded down to the third level, many are not", () => {
  const deep = node(1, "top", [node(2, "a", [node(3, "b", [node(4, "c", [node(5, "d")])])])]);
  assert.deepEqual(paths(new Growth().rows(deep, 0)), ["top", "top/a", "top/a/b", "top/a/b/c"]);
  const wide = node(1, "top", [node(2, "a", Array.from({ length: 13 }, (_, i) => node(10 + i, `x${i}`)))]);
  assert.deepEqual(paths(new Growth().rows(wide, 0)), ["top", "top/a"]);
  assert.equal(new Growth().rows(wide, 0, true).rows.length, 15);
});

test("what was folded by hand stays folded when the actor is another one", () => {
  const growth = new Growth();
  growth.fold("top/a", false);
  for (const ref of [2, 7]) assert.deepEqual(paths(growth.rows(node(1, "top", [node(ref, "a", [node(3, "b")])]), 0)), ["top", "top/a"]);
  growth.fold("top/a", true);
  assert.deepEqual(paths(growth.rows(node(1, "top", [node(7, "a", [node(3, "b")])]), 0)), ["top", "top/a", "top/a/b"]);
});

test("a restarted actor stays at its place, and equal labels are told apart", () => {
  const growth = new Growth();
  growth.rows(node(1, "top", [node(2, "a"), node(3, "b"), node(4, "b")]), 0);
  const { rows } = growth.rows(node(1, "top", [node(3, "b"), node(4, "b"), node(9, "a")]), 0);
  assert.deepEqual(rows.map((row) => [row.path, row.node.ref]), [["top", "1"], ["top/a", "9"], ["top/b", "3"], ["top/b/1", "4"]]);
  assert.deepEqual(rows.slice(1).map(({ level, position, size }) => [level, position, size]), [[2, 1, 3], [2, 2, 3], [2, 3, 3]]);
});

test("children that were not told are counted, and rows end at 400", () => {
  const { rows, isCut } = new Growth().rows(node(1, "top", [node(2, "a")], 5), 0);
  assert.deepEqual([rows[0].hidden, isCut], [4, false]);
  const large = new Growth().rows(node(1, "top", Array.from({ length: 1000 }, (_, i) => node(i + 2, `x${i}`))), 0);
  assert.deepEqual([large.rows.length, large.isCut], [400, true]);
});

test("a restart is marked on the actor, or on what it is folded into", () => {
  const growth = new Growth();
  const top = node(1, "top", [node(2, "a", [node(3, "b")])]);
  growth.restarted(["3"], 0);
  const fresh = (now) => growth.rows(top, now).rows.filter(({ isFresh }) => isFresh).map(({ path }) => path);
  growth.fold("top/a", false);
  assert.deepEqual(fresh(0), ["top/a"]);
  growth.fold("top/a", true);
  assert.deepEqual([fresh(3999), fresh(4000)], [["top/a/b"], []]);
});

test("a restart is news for four seconds from when it is shown, and for a minute if it is not", () => {
  const fresh = new Fresh();
  fresh.add(["1", "2"], 0);
  assert.deepEqual([fresh.shows("1", 50_000), fresh.shows("1", 53_999), fresh.shows("1", 54_000)], [true, true, false]);
  assert.deepEqual([fresh.shows("2", 60_000), fresh.shows("3", 0)], [false, false]);
});
