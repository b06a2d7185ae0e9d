/** What the console shows of texts that others wrote. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { visible } from "../../../supervision/console/web/static/visible.js";

const SHOWN = [
  ["Ann, Évelyne, مها, 漢字 😀 1 × 2", "Ann, Évelyne, مها, 漢字 😀 1 × 2"],
  ["a\u202eb\u2066c\u200ed", "a\\u202eb\\u2066c\\u200ed"],
  ["line\nforged\r\tby\x1b[0m\x00\x7f\x9b", "line\\nforged\\r\\tby\\x1b[0m\\x00\\x7f\\x9b"],
  ["\u2028\u2029\u00a0\u3000", "\\u2028\\u2029\\xa0\\u3000"],
  ["\u3164\u2800\u115f\ufeff\u{e0041}\ue000", "\\u3164\\u2800\\u115f\\ufeff\\U000e0041\\ue000"],
  ["\ud800", "\\ud800"],
  ["👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"],
  ["ب\u200cت", "ب\u200cت"],
  ["a\u200db, \u200d\u200d, \u200cx", "a\\u200db, \\u200d\\u200d, \\u200cx"],
  ["😀\u200d\u202e😀", "😀\\u200d\\u202e😀"],
];

for (const [text, shown] of SHOWN) test(`shows ${JSON.stringify(shown)}`, () => assert.equal(visible(text), shown));

test("lines of a block stay lines", () => assert.equal(visible("a\n\tb\r\u202e", true), "a\n\tb\\r\\u202e"));
