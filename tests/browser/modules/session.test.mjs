/** A page and its server: what it asks for, what it shows, and what becomes of own pixels. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { deflateSync } from "node:zlib";

import { clock, settled, sockets } from "./browser.mjs";
import { Lookout } from "../../../canvas/web/static/net/lookout.js";
import { inflate } from "../../../canvas/web/static/net/protocol.js";
import {
  SIZE, ack, changes, error, heartbeat, messages, newPage, refusal, snapshot, socket, welcome,
} from "./server.mjs";

const RED = 0xff0000ff;
const GREEN = 0xff00ff00;
const BLUE = 0xffff0000;
const WHITE = 0xffffffff;

beforeEach(() => clock.reset());

/** Give the page a canvas on the socket that it opened last. */
async function serve(page, { tiles = {}, area, ...greeting } = {}) {
  socket().open();
  await load(page, { tiles, area, ...greeting });
}

async function load(page, { tiles = {}, area, whole, ...greeting } = {}) {
  let isLoaded = false;
  page.session.onload = () => (isLoaded = true);
  if (greeting) socket().tell(welcome(greeting));
  socket().tell(snapshot({ seq: greeting.seq, tiles, area: area ?? { x: 0, y: 0, ...(greeting.size ?? SIZE) }, whole }));
  await settled(() => isLoaded);
}

async function look(page, area, seq) {
  let isLoaded = false;
  page.session.onload = () => (isLoaded = true);
  page.session.lookAt(area);
  socket().tell(snapshot({ seq, area, whole: false }));
  await settled(() => isLoaded);
}

/** Inflate more than a snapshot has: what the page began before is done by then. */
async function inflatedElsewhere() {
  for (let i = 0; i < 5; i++) await inflate(deflateSync(Buffer.alloc(256 * 256 * 3)));
}

/** Lose the socket, and wait for the next one. */
function cut() {
  const count = sockets.length;
  socket().end();
  clock.advance(1000);
  assert.equal(sockets.length, count + 1);
  socket().open();
}

const asked = () => Object.fromEntries(socket().url.searchParams);

test("epoch and seq are of one state, whenever the connection ends", async () => {
  const page = newPage();
  assert.ok(!("epoch" in asked()) && !("seq" in asked()));
  await serve(page, { epoch: "OLD", seq: 500, tiles: { 0: [255, 0, 0] } });
  cut();
  assert.deepEqual([asked().epoch, asked().seq], ["OLD", "500"]);
  socket().tell(welcome({ epoch: "NEW", seq: 800 }));
  cut(); // before the snapshot came
  assert.deepEqual([asked().epoch, asked().seq], ["OLD", "500"]);
  assert.equal(page.picture.at(1, 1), RED);
  assert.ok(!page.connection.live);
  await load(page, { epoch: "NEW", seq: 801, tiles: { 0: [0, 255, 0] } });
  cut();
  assert.deepEqual([asked().epoch, asked().seq], ["NEW", "801"]);
});

test("a snapshot of a connection that has ended is not shown as live", async () => {
  const page = newPage();
  socket().open();
  socket().tell(welcome({ seq: 5 }));
  socket().tell(snapshot({ seq: 5, tiles: { 0: [255, 0, 0] } }));
  page.session.onload = () => assert.fail("it was loaded");
  cut(); // while it was inflated
  await inflatedElsewhere();
  assert.deepEqual([page.connection.live, page.picture.at(1, 1)], [false, WHITE]);
  await serve(page, { epoch: "NEW", seq: 1 });
  assert.deepEqual([page.session.epoch, page.session.seq, page.picture.at(1, 1)], ["NEW", 1, WHITE]);
});

test("nothing is heard of a socket that was given up, not even what had arrived", async () => {
  const page = newPage();
  await serve(page, { seq: 5 });
  let loaded = 0;
  page.session.onload = () => (loaded += 1);
  socket().tell(snapshot({ seq: 5, tiles: { 0: [255, 0, 0] } }));
  socket().tell(changes(9, [[1, 1, RED, "ann"]])); // which makes the page start over
  socket().tell(snapshot({ seq: 10, tiles: { 0: [0, 255, 0] } }));
  await settled(() => loaded === 1);
  await inflatedElsewhere();
  assert.deepEqual([loaded, page.session.seq, page.connection.live], [1, 0, false]);
});

test("no pixel is sent between a welcome and its snapshot", async () => {
  const page = newPage();
  await serve(page, { seq: 5 });
  socket().tell(welcome({ seq: 6 })); // a crash under the open socket
  page.session.paint(1, 1, RED);
  assert.deepEqual(messages(socket()), []);
  let isLoaded = false;
  page.session.onload = () => (isLoaded = true);
  socket().tell(snapshot({ seq: 6 }));
  await settled(() => isLoaded);
  assert.equal(messages(socket()).length, 1);
});

test("a resumed canvas that is not the one shown is loaded anew", async () => {
  const others = [{ epoch: "OTHER" }, { size: { width: 1000, height: 1000 } }];
  for (const other of others) {
    clock.reset();
    const page = newPage();
    await serve(page, { epoch: "E", seq: 10 });
    cut();
    socket().tell(welcome({ epoch: "E", seq: 10, resumed: true, ...other }));
    assert.ok(!page.connection.live);
    clock.advance(1000);
    assert.ok(!("epoch" in asked()), "asks for all of it");
    await serve(page, { epoch: "E", seq: 10, ...other });
    page.session.paint(100, 7, RED);
    assert.deepEqual(messages(socket())[0].pixels, [[100, 7, RED]]);
  }
});

test("own pixels on a canvas of another size are reported, those on another canvas of this size are sent", async () => {
  const page = newPage();
  await serve(page, { epoch: "E", seq: 1 });
  socket().end();
  for (let x = 0; x < 5; x++) page.session.paint(x, 0, RED);
  clock.advance(1000);
  await serve(page, { epoch: "F", seq: 3 });
  assert.equal(messages(socket())[0].pixels.length, 5);
  cut();
  await load(page, { epoch: "G", size: { width: 300, height: 300 } });
  assert.deepEqual(page.dropped, [[5, "replaced"]]);
  assert.equal(page.pending.size, 0);
});

test("all of a small canvas is looked at, also when it was smaller or larger before", async () => {
  const sides = [64, 100, 300, 2048, 9000];
  for (const [before, width, height] of sides.flatMap((a) => sides.flatMap((b) => sides.map((c) => [a, b, c])))) {
    if (Math.max(width, height) > 2048) continue;
    clock.reset();
    const page = newPage();
    const camera = { view: { x: 50, y: 50, zoom: 5 }, screen: { width: 900, height: 700 } };
    const lookout = new Lookout(camera, page.picture, page.session);
    page.connection.onstate = ({ status }) => status === "live" && lookout.check();
    const asked = { x: 0, y: 0, width: Math.min(before, 2048), height: Math.min(before, 2048) };
    await serve(page, { epoch: "E", size: { width: before, height: before }, area: asked });
    cut();
    const size = { width, height };
    const area = { x: 0, y: 0, width: Math.min(width, asked.width), height: Math.min(height, asked.height) };
    await load(page, { epoch: "F", size, area });
    const looks = socket().sent.filter((frame) => frame[0] === 0x03);
    const isWhole = area.width === width && area.height === height;
    const words = looks.map((frame) => [...new Uint16Array(frame.slice(1).buffer)]);
    assert.deepEqual(words, isWhole ? [] : [[0, 0, width, height]], `${before} to ${width} x ${height}`);
  }
});

test("changes that do not follow what is shown, or a state that cannot be read, make the page start over", async () => {
  const page = newPage();
  await serve(page, { seq: 5 });
  socket().tell(changes(6, [[1, 1, RED, "ann"]]));
  assert.ok(!page.connection.live);
  clock.advance(1000);
  assert.ok(!("epoch" in asked()));
  socket().open();
  socket().tell(welcome({ seq: 7 }));
  const frame = snapshot({ seq: 7, tiles: { 0: [1, 2, 3] } });
  new Uint8Array(frame).fill(0, frame.byteLength - 20);
  const { length } = sockets;
  socket().tell(frame);
  await settled(() => socket().isClosed);
  clock.advance(2000);
  assert.equal(sockets.length, length + 1);
});

test("a state may take minutes on a slow link, first or later", async () => {
  const page = newPage();
  socket().open();
  clock.advance(14_000);
  socket().tell(welcome({ seq: 5, size: { width: 9000, height: 9000 } }));
  clock.advance(200_000);
  const area = { x: 0, y: 0, width: 2048, height: 2048 };
  await load(page, { seq: 5, size: { width: 9000, height: 9000 }, area });
  page.session.paint(1, 1, RED);
  page.session.lookAt({ x: 4096, y: 4096, width: 2048, height: 2048 });
  clock.advance(200_000); // the answer to the pixel waits behind the state
  assert.ok(page.connection.live);
  assert.equal(sockets.length, 1);
  socket().tell(error("rate_limited")); // no state will come
  clock.advance(46_000);
  assert.ok(!page.connection.live);
});

test("heartbeats keep the connection", async () => {
  const page = newPage();
  await serve(page);
  for (let i = 0; i < 10; i++) {
    clock.advance(20_000);
    socket().tell(heartbeat());
  }
  assert.ok(page.connection.live);
  clock.advance(46_000);
  assert.ok(!page.connection.live);
});

test("a pixel is shown as the server has it once it is acknowledged, not before", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  const [{ id }] = messages(socket());
  socket().tell(ack(id, 12)); // the changes are still on their way
  assert.deepEqual([page.picture.at(1, 1), page.pending.size], [RED, 1]);
  socket().tell(changes(10, [[1, 1, RED, "me"], [1, 1, GREEN, "ann"]]));
  assert.deepEqual([page.picture.at(1, 1), page.pending.size], [GREEN, 0]);
});

test("a pixel that had its colour already is over with the acknowledgement alone", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  socket().tell(changes(10, [[1, 1, RED, "ann"]]));
  assert.equal(page.pending.size, 1);
  socket().tell(ack(messages(socket())[0].id, 11));
  assert.equal(page.pending.size, 0);
  assert.equal(page.picture.at(1, 1), RED);
});

test("refused pixels are taken back, named, counted and told why; the others stay", async () => {
  const page = newPage();
  await serve(page, { seq: 10, tiles: { 0: [0, 255, 0] } });
  page.session.paint(0, 0, RED);
  for (let x = 1; x < 5; x++) page.session.paint(x, 0, RED);
  const [first] = messages(socket());
  socket().tell(refusal(first.id, "area_locked", { pixels: [[0, 0]] }));
  assert.deepEqual(page.dropped, [[1, "area_locked"]]);
  assert.deepEqual([page.picture.at(0, 0), page.picture.at(1, 0)], [GREEN, RED]);
  for (const { id } of messages(socket()).slice(1)) socket().tell(refusal(id, "store_unavailable"));
  assert.deepEqual(page.dropped.slice(1), Array(4).fill([1, "store_unavailable"]));
  assert.equal(page.pending.size, 0);
});

test("who was too fast sends again after as long as the server says, and loses nothing", async () => {
  const page = newPage();
  await serve(page, { seq: 10, limit: { perSecond: 100, burst: 200 } });
  page.session.paint(1, 1, RED);
  const [{ id }] = messages(socket());
  socket().tell(refusal(id, "rate_limited", { retryAfter: 5000, pixels: [[1, 1]] }));
  socket().tell(ack(id, 10));
  clock.advance(4900);
  assert.equal(messages(socket()).length, 1);
  clock.advance(200);
  assert.deepEqual(messages(socket())[1].pixels, [[1, 1, RED]]);
  assert.deepEqual(page.dropped, []);
});

test("a new connection brings no new allowance", async () => {
  const page = newPage();
  const limit = { perSecond: 10, burst: 20 };
  await serve(page, { seq: 10, limit });
  for (let x = 0; x < 50; x++) page.session.paint(x, 0, RED);
  const count = () => messages(socket()).reduce((sum, { pixels }) => sum + pixels.length, 0);
  assert.equal(count(), 17);
  cut();
  await load(page, { seq: 10, limit });
  assert.ok(count() <= 9, `${count()} in the second after`);
});

test("the server says how long the cooldown is", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  socket().tell(refusal(messages(socket())[0].id, "cooldown", { retryAfter: 7300 }));
  assert.deepEqual(page.waits, [null, 7300]);
  assert.deepEqual(page.dropped, [[1, "cooldown"]]);
});

test("a pixel that is not acknowledged makes the page open another connection, and is sent again", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  for (let i = 0; i < 59; i++) {
    clock.advance(1000);
    socket().tell(changes(10 + i, [[9, 9, RED + i, "ann"]])); // others are served
  }
  assert.ok(page.connection.live);
  clock.advance(2000);
  assert.ok(!page.connection.live);
  assert.equal(sockets.length, 2);
  socket().open();
  const seq = page.session.seq;
  socket().tell(welcome({ seq, resumed: true }));
  assert.deepEqual(messages(socket())[0].pixels, [[1, 1, RED]]);
  assert.deepEqual(page.dropped, []);
});

test("what was painted before a break is found among the changes that were missed, and not painted again", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  page.session.paint(2, 2, RED);
  cut();
  socket().tell(welcome({ seq: 10, head: 12, resumed: true, userId: "me2" }));
  socket().tell(changes(10, [[1, 1, RED, "me"]]));
  assert.deepEqual(messages(socket()), []); // not all is known yet
  socket().tell(changes(11, [[1, 1, BLUE, "ann"]]));
  assert.deepEqual(messages(socket())[0].pixels, [[2, 2, RED]]);
  assert.equal(page.picture.at(1, 1), BLUE);
});

test("what was acknowledged is not sent again to another state", async () => {
  const page = newPage();
  await serve(page, { epoch: "E", seq: 10 });
  page.session.paint(1, 1, RED);
  socket().tell(ack(messages(socket())[0].id, 11));
  cut();
  await load(page, { epoch: "F", seq: 2 });
  assert.deepEqual([messages(socket()).length, page.pending.size, page.picture.at(1, 1)], [0, 0, WHITE]);
});

test("a welcome in the middle of a connection settles what was under way", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  page.session.paint(1, 1, RED);
  socket().tell(welcome({ seq: 10, resumed: true }));
  assert.deepEqual(messages(socket()).map(({ pixels }) => pixels), [[[1, 1, RED]], [[1, 1, RED]]]);
  assert.equal(sockets.length, 1);
});

test("erasures that wait outlive a look at another part of a large canvas, and a crash of the server", async () => {
  const page = newPage();
  const size = { width: 10_000, height: 10_000 };
  const limit = { perSecond: 10, burst: 20 };
  const area = { x: 0, y: 0, width: 2048, height: 2048 };
  await serve(page, { seq: 10, size, area, limit, tiles: { 0: [255, 0, 0] } });
  for (let x = 0; x < 100; x++) page.session.paint(x, 5, WHITE);
  for (let x = 0; x < 100; x++) page.session.paint(x, 9, BLUE);
  await look(page, { x: 4096, y: 4096, width: 2048, height: 2048 }, 10);
  socket().tell(welcome({ seq: 10, size, limit, resumed: true }));
  assert.equal(page.pending.size, 200);
  let answered = messages(socket()).length; // none of those before the crash
  for (let seq = 10, i = 0; page.pending.size; i++) {
    clock.advance(1000);
    const unanswered = messages(socket()).slice(answered);
    answered += unanswered.length;
    for (const { id, pixels } of unanswered) {
      const landed = pixels.map(([x, y, color]) => [x, y, color, "me"]);
      socket().tell(changes(seq, landed));
      socket().tell(ack(id, (seq += landed.length)));
    }
    assert.ok(i < 100);
  }
  const painted = new Set(messages(socket()).flatMap(({ pixels }) => pixels.map(([x, y]) => `${x},${y}`)));
  assert.equal(painted.size, 200);
  assert.deepEqual(page.dropped, []);
  assert.equal([...page.picture.tiles()].length, 0, "no tile is kept for what is not looked at");
});

test("pixels that new rules forbid are given up alone, and the others are sent", async () => {
  const page = newPage();
  await serve(page, { seq: 10 });
  socket().end();
  for (let x = 0; x < 10; x++) page.session.paint(x, 0, RED);
  clock.advance(1000);
  await serve(page, { seq: 10, locked: [{ x: 2, y: 0, width: 3, height: 1 }] });
  assert.deepEqual(page.dropped, [[3, "area_locked"]]);
  assert.deepEqual(messages(socket())[0].pixels.map(([x]) => x), [0, 1, 5, 6, 7, 8, 9]);
  assert.equal(page.picture.at(3, 0), WHITE);
});

test("a slow uplink holds pixels back here: what is under way has a bound", async () => {
  const page = newPage();
  await serve(page, { seq: 0 });
  for (let i = 0; i < 9000; i++) page.session.paint(i % 512, Math.floor(i / 512), RED);
  clock.advance(10_000);
  const sent = messages(socket());
  assert.equal(sent.reduce((sum, { pixels }) => sum + pixels.length, 0), 2000);
  assert.equal(page.pending.queued, 7000);
  socket().tell(ack(sent[0].id, 0));
  clock.advance(100);
  assert.ok(messages(socket()).length > sent.length);
});

test("too many pixels that wait are refused with a word", async () => {
  const page = newPage();
  const size = { width: 512, height: 256 };
  await serve(page, { seq: 0, size });
  socket().end();
  let refused = 0;
  for (let i = 0; i < 50_003; i++) refused += !page.session.paint(i % 512, Math.floor(i / 512), RED);
  assert.equal(refused, 3);
  assert.deepEqual(page.refused, Array(3).fill("too_many_waiting"));
});
