/** Bitmaps that are lost, names of those who have left, and colours in words. */
import assert from "node:assert/strict";
import { test } from "node:test";

import "./input.mjs";
import { describe, pack } from "../../../canvas/web/static/paint/color.js";
import { People } from "../../../canvas/web/static/ui/people.js";
import { Picture } from "../../../canvas/web/static/view/picture.js";

const element = () => ({ ...new EventTarget(), addEventListener() {}, setAttribute() {}, replaceChildren() {}, hidden: true });
const bitmaps = [];

function newBitmap() {
  const bitmap = { uploads: [], oncontextrestored: null };
  bitmap.getContext = () => ({ putImageData: (image, ...place) => bitmap.uploads.push(place.slice(2)) });
  bitmaps.push(bitmap);
  return bitmap;
}

Object.assign(globalThis, {
  requestAnimationFrame: () => 1,
  ImageData: class {
    constructor(width, height) {
      this.data = new Uint8ClampedArray(4 * width * height);
    }
  },
});
Object.assign(document, { getElementById: element, createElement: newBitmap });

const ALL = [0, 0, 256, 256];

test("a bitmap that was lost is uploaded again, as a whole, and so are all of them on demand", () => {
  const picture = new Picture();
  let lost = 0;
  picture.onlost = () => (lost += 1);
  picture.reset({ width: 512, height: 256, background: 0xffffffff });
  picture.load({ x: 0, y: 0, width: 512, height: 256 }, new Map([[0, null], [1, null]]), true);
  picture.flush();
  picture.show(5, 7);
  picture.flush();
  for (const bitmap of bitmaps) bitmap.uploads.length = 0;
  bitmaps[1].oncontextrestored();
  assert.deepEqual(picture.flush(), { left: 256, top: 0, right: 511, bottom: 255 });
  assert.deepEqual([lost, bitmaps.map(({ uploads }) => uploads)], [1, [[], [ALL]]]);
  picture.refresh();
  picture.flush();
  assert.deepEqual(bitmaps.map(({ uploads }) => uploads), [[ALL], [ALL, ALL]]);
  assert.equal(picture.flush(), null);
});

test("a name outlasts its owner's leaving, but those of the last thousand only", () => {
  const people = new People(element(), element());
  people.replace("me", ["me"], { me: "Ann" }, 1);
  for (let i = 0; i < 5000; i++) {
    people.join(`user-${i}`, `Name ${i}`);
    people.leave(`user-${i}`);
  }
  const labels = Array.from({ length: 5000 }, (_, i) => people.label(`user-${i}`));
  assert.equal(labels.filter((label) => label.startsWith("Name")).length, 1000);
  assert.deepEqual([labels[4999], labels[4000], labels[3999], people.label("me")], ["Name 4999", "Name 4000", "user-3", "Ann"]);
  people.join("user-4000", "");
  assert.equal(people.label("user-4000"), "user-4"); // back, and without a name
  assert.deepEqual([people.count, people.ids], [2, ["me", "user-4000"]]);
});

const WORDS = {
  "#000000": "black", "#FFFFFF": "white", "#808080": "grey", "#D0D0D0": "light grey", "#333333": "dark grey",
  "#FF0000": "red", "#800000": "dark red", "#FF8000": "orange", "#8B4513": "brown", "#FFFF00": "yellow",
  "#00FF00": "green", "#004000": "dark green", "#00C8C8": "turquoise", "#0000FF": "blue", "#000060": "dark blue",
  "#A0C8FF": "light blue", "#8000FF": "purple", "#FF00A0": "pink", "#FFC0CB": "light pink",
};
test("colours have the names that most people would give them", () => {
  for (const [text, words] of Object.entries(WORDS)) assert.equal(describe(pack(text)), words, text);
});
