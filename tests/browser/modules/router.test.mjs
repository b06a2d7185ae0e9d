/** The address of the console holds where somebody is, whatever a name contains. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { href, parse, toActor } from "../../../supervision/console/web/static/router.js";

test("an address is a path and a query", () => {
  assert.deepEqual(parse("#/actors/12?sort=mailbox&order=desc"), { path: ["actors", "12"], query: { sort: "mailbox", order: "desc" } });
  for (const hash of ["", "#", "#/", "#//"]) assert.deepEqual(parse(hash), { path: [], query: {} });
});

test("any name goes there and back", () => {
  for (const name of ["a/b", "a?b", "100 %", "#", "é 😀", "a&b=c", "+"]) {
    assert.deepEqual(parse(href(["names", name], { q: name })), { path: ["names", name], query: { q: name } }, name);
  }
});

test("what is empty is left out, and what cannot be decoded stays", () => {
  assert.equal(href(["actors"], { q: "", offset: 0, sort: undefined, limit: 5 }), "#/actors?limit=5");
  assert.deepEqual([toActor("12"), parse("#/%E0%A4%A").path], ["#/actors/12", ["%E0%A4%A"]]);
});
