/** A dead connection is noticed, a slow one is not taken for dead, and a refusal is told from an outage. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { clock, device, dispatch, sockets } from "./browser.mjs";
import { Connection, closing } from "../../../canvas/web/static/net/connection.js";

const FRAME = new ArrayBuffer(1);
const SECOND = 1000;

beforeEach(() => clock.reset());

function connect() {
  const connection = new Connection(() => "wss://canopy.example/ws", "canopy.v1.bin");
  connection.start();
  return connection;
}

function live() {
  const connection = connect();
  sockets[0].open();
  connection.expect();
  connection.confirm();
  return connection;
}

test("a live connection that is silent for 45 s is replaced", () => {
  const connection = live();
  clock.advance(44 * SECOND);
  assert.equal(connection.state.status, "live");
  clock.advance(2 * SECOND);
  assert.equal(connection.state.status, "reconnecting");
  assert.equal(connection.state.reason, "The connection was lost");
  assert.ok(sockets[0].isClosed);
  clock.advance(SECOND);
  assert.equal(sockets.length, 2);
});

test("any message is a sign of life", () => {
  const connection = live();
  for (let i = 0; i < 20; i++) {
    clock.advance(20 * SECOND);
    sockets[0].tell(FRAME);
  }
  assert.equal(connection.state.status, "live");
  assert.equal(sockets.length, 1);
});

test("a handshake without a welcome is given up after 15 s, whether the socket opened or not", () => {
  for (const opens of [false, true]) {
    clock.reset();
    const connection = connect();
    if (opens) sockets[0].open();
    clock.advance(16 * SECOND);
    assert.ok(sockets[0].isClosed);
    assert.equal(connection.state.reason, "The server cannot be reached");
  }
});

test("a handshake after a good connection has the same patience as the first", () => {
  live();
  sockets[0].end();
  clock.advance(1000);
  sockets[1].open();
  clock.advance(16 * SECOND);
  assert.ok(sockets[1].isClosed);
});

test("a state that is on its way may take minutes, but not for ever", () => {
  const connection = connect();
  sockets[0].open();
  sockets[0].tell(FRAME);
  connection.expect();
  clock.advance(299 * SECOND);
  assert.ok(!sockets[0].isClosed);
  assert.equal(connection.state.status, "connecting"); // and is not called live
  clock.advance(2 * SECOND);
  assert.ok(sockets[0].isClosed);
});

test("a device that wakes up does not trust a connection that was silent meanwhile", () => {
  const wakes = {
    "by a timer": () => clock.advance(SECOND),
    "by visibilitychange": () => dispatch("visibilitychange"),
    "by online": () => dispatch("online"),
  };
  for (const wake of Object.values(wakes)) {
    clock.reset();
    const connection = live();
    clock.sleep(3600 * SECOND);
    wake();
    assert.equal(connection.live, false);
  }
});

test("coming back to a page whose connection is alive leaves it alone", () => {
  const connection = live();
  clock.advance(20 * SECOND);
  dispatch("visibilitychange");
  dispatch("online");
  assert.ok(connection.live);
  assert.equal(sockets.length, 1);
});

test("a clock that is set back does not keep a dead connection alive", () => {
  const connection = live();
  clock.sleep(-3600 * SECOND);
  dispatch("visibilitychange");
  assert.equal(connection.live, false);
});

test("an offline device waits, and connects when it is back", () => {
  const connection = live();
  device.onLine = false;
  dispatch("offline");
  assert.equal(connection.state.status, "offline");
  clock.advance(600 * SECOND);
  assert.equal(sockets.length, 1);
  device.onLine = true;
  dispatch("online");
  assert.equal(sockets.length, 2);
});

test("a page from the back/forward cache connects again", () => {
  for (const code of [null, 1008]) {
    clock.reset();
    live();
    if (code) sockets[0].end(code);
    dispatch("pagehide");
    dispatch("pageshow", { persisted: true });
    assert.equal(sockets.length, 2);
  }
});

test("who is banned is told why, and connects again only when they ask", () => {
  const connection = connect();
  sockets[0].open();
  sockets[0].end(4403, "you are banned until 2030-01-01 00:00 UTC: paints over others");
  const { status, reason, urgent } = connection.state;
  assert.deepEqual([status, urgent], ["closed", true]);
  assert.equal(reason, "You are banned until 2030-01-01 00:00 UTC: paints over others");
  clock.advance(3600 * SECOND);
  for (const event of ["visibilitychange", "online", "offline", "pagehide"]) dispatch(event);
  dispatch("pageshow", { persisted: true });
  assert.equal(connection.state.status, "closed");
  assert.equal(sockets.length, 1);
  connection.retry();
  assert.equal(sockets.length, 2);
});

test("close codes are told apart", () => {
  const table = [
    [1001, "", "The server is restarting", 0, false],
    [1006, "", "The server cannot be reached", 0, false],
    [1008, "too many errors", "The server refused the connection: too many errors", 15_000, false],
    [1013, "", "The server is full", 5000, false],
    [4403, "", "You are banned", 0, true],
    [4403, "you are banned: spam", "You are banned: spam", 0, true],
    [4429, "too many connections from your address", "Too many connections from your address", 5000, false],
    [4503, "the server is going away", "The server is going away", 5000, false],
    [4503, "", "The server is full", 5000, false],
    [4418, "teapot", "The server refused the connection: teapot", 15_000, false],
    [4600, "", "Connection closed (4600)", 0, false],
  ];
  for (const [code, words, reason, floor, isFinal] of table) {
    assert.deepEqual(closing(code, words), { reason, floor, isFinal }, `${code} ${words}`);
  }
});

test("a full server is asked again, but not at once", () => {
  const connection = connect();
  sockets[0].end(4503, "");
  clock.advance(4900);
  dispatch("visibilitychange");
  assert.equal(sockets.length, 1);
  clock.advance(SECOND);
  assert.equal(sockets.length, 2);
  assert.equal(connection.state.status, "reconnecting");
});

test("attempts are made ever more seldom, and at once again after a good connection", () => {
  const connection = connect();
  const gaps = [];
  for (let i = 0; i < 9; i++) {
    sockets.at(-1).end(1006);
    gaps.push(connection.state.retryAt - clock.now);
    clock.advance(gaps.at(-1));
  }
  assert.deepEqual(gaps, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  connection.confirm();
  clock.advance(11 * SECOND);
  sockets.at(-1).end(1006);
  assert.equal(connection.state.retryAt - clock.now, 250);
});
