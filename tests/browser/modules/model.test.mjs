/**
 * A page against a model of a server that loses connections, crashes, refuses, forgets and has a slow disk, by a random
 * plan.
 *
 * Whatever happens, in the end the page shows what the server has, every pixel that was painted is there, was painted
 * over, or was reported, and no message is painted twice.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, settled, sockets } from "./browser.mjs";
import { SIZE, ack, changes, messages, newPage, refusal, snapshot, welcome } from "./server.mjs";

const SEEDS = Number(process.env.SEEDS ?? 60);
const STEPS = 120;
/** Colours from here on are painted once. */
const UNIQUE = 1000;
const REFUSALS = ["area_locked", "store_unavailable", "rate_limited", "cooldown"];

/** A small generator of random numbers (mulberry32). */
function chance(seed) {
  let state = seed * 0x9e3779b9;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (n) => Math.floor(next() * n),
    of: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

class Server {
  epoch = "E0";
  /** Changes of this epoch. @type {[number, number, number, string][]} */
  log = [];
  /** Messages that were accepted, and why pixels of them were refused. @type {Map<string, Map<string, number[][]>>} */
  accepted = new Map();
  /** Accepted messages and repeated ones that wait for the disk, and the socket that they came on. */
  waiting = [];
  /** What it has sent on the current socket, and the network has not delivered. @type {ArrayBuffer[]} */
  outgoing = [];
  socket = null;
  /** How many of the page's messages were read. */
  read = 0;
  /** The last change that was sent on this socket. */
  told = 0;

  constructor(random) {
    this.random = random;
    // A canvas that crashes forgets what it has accepted: then only the changes that follow tell what it has painted.
    this.forgets = random.of(0.5);
  }

  get seq() {
    return this.log.length;
  }

  color(x, y) {
    return this.log.findLast(([a, b]) => a === x && b === y)?.[2] ?? 0xffffffff;
  }

  accept(socket) {
    Object.assign(this, { socket, read: 0, outgoing: [] });
    const query = socket.url.searchParams;
    this.greet(query.get("epoch") === this.epoch && this.mayResume() ? Number(query.get("seq")) : null);
  }

  /** The actor behind the open socket has crashed, and has lost what it read last; or the canvas, and what waits. */
  crash() {
    const unread = messages(this.socket).slice(this.read);
    this.read += this.random.below(unread.length + 1);
    if (this.forgets && this.random.of(0.3)) this.forget();
    this.greet(this.mayResume() ? this.told : null);
  }

  /** A page that is too far behind gets a state. */
  mayResume() {
    return this.forgets || this.random.of(0.75);
  }

  forget() {
    this.accepted.clear();
    this.waiting = [];
  }

  greet(from) {
    const { seq, epoch } = this;
    if (from !== null) {
      this.outgoing.push(welcome({ epoch, seq: from, head: seq, resumed: true }));
      this.told = from;
      return this.tell();
    }
    const tile = Buffer.alloc(256 * 256 * 3, 255);
    for (const [x, y, color] of this.log) {
      tile.set([color & 255, (color >> 8) & 255, (color >> 16) & 255], 3 * (256 * y + x));
    }
    this.outgoing.push(welcome({ epoch, seq }), snapshot({ seq, tiles: { 0: tile } }));
    this.told = seq;
  }

  /** Commit a change, and tell of it. */
  change(x, y, color, user) {
    this.log.push([x, y, color, user]);
    if (this.socket && this.random.of(0.7)) this.tell();
  }

  tell() {
    if (this.told < this.seq) this.outgoing.push(changes(this.told, this.log.slice(this.told)));
    this.told = this.seq;
  }

  /** Read one message of the page. */
  serve() {
    const message = messages(this.socket)[this.read];
    if (message === undefined) return;
    this.read += 1;
    const key = `${this.socket.url.searchParams.get("client")} ${message.id}`;
    const repeats = this.accepted.has(key);
    if (!repeats) this.accepted.set(key, new Map());
    this.waiting.push({ ...message, key, repeats, socket: this.socket });
    if (this.random.of(0.7)) this.commit();
  }

  /** The disk has written what waited: answer it, where that can still be heard. */
  commit() {
    const committed = this.waiting;
    this.waiting = [];
    for (const message of committed) this.settle(message);
  }

  settle({ id, pixels, key, repeats, socket }) {
    const refused = this.accepted.get(key);
    for (const [x, y, color] of repeats ? [] : pixels) {
      if (this.random.of(0.15)) {
        const code = this.random.pick(REFUSALS);
        refused.set(code, [...(refused.get(code) ?? []), [x, y]]);
      } else if (this.color(x, y) !== color) this.change(x, y, color, "me");
    }
    if (socket !== this.socket) return;
    for (const [code, places] of refused) {
      const isAll = !repeats && places.length === pixels.length;
      this.outgoing.push(refusal(id, code, { pixels: isAll && this.random.of(0.5) ? [] : places, retryAfter: 100 }));
    }
    if (this.random.of(0.5)) this.tell(); // an acknowledgement may come before its changes
    this.outgoing.push(ack(id, this.seq));
  }
}

async function run(seed) {
  clock.reset();
  const random = chance(seed);
  const server = new Server(random);
  const page = newPage();
  const wanted = new Map();
  let strokes = 0;
  let reported = 0;
  let isCalm = false;
  /** Snapshots that the page was told, and has not loaded: the sockets on which they came. @type {number[]} */
  const inflating = [];
  page.session.onload = () => inflating.splice(inflating.indexOf(page.connection.generation), 1);
  const isInflated = () => !inflating.includes(page.connection.generation);
  const revert = page.session.revert.bind(page.session);
  page.session.revert = (indexes, code) => {
    reported += indexes.length;
    for (const index of indexes) wanted.delete(index);
    revert(indexes, code);
  };

  const cut = () => {
    if (!server.socket) return;
    const { socket } = server;
    server.socket = null;
    socket.end();
  };
  const deliver = async () => {
    const frame = server.outgoing.shift();
    if (frame === undefined) return;
    const isSnapshot = new Uint8Array(frame)[0] === 0x82;
    if (isSnapshot) inflating.push(page.connection.generation);
    server.socket.tell(frame);
    if (isSnapshot && (random.of(0.9) || isCalm)) await settled(isInflated); // or the next ones come meanwhile
  };
  const steps = {
    paint() {
      const color = random.of(0.5) ? random.below(3) : UNIQUE + strokes++;
      const [x, y] = [random.below(6), random.below(2)];
      const packed = (0xff000000 | color) >>> 0;
      if (page.session.paint(x, y, packed)) wanted.set(y * SIZE.width + x, packed);
    },
    other: () => server.change(random.below(6), random.below(2), (0xff000000 | (16 + random.below(3))) >>> 0, "ann"),
    serve: () => server.socket && server.serve(),
    commit: () => server.commit(),
    tell: () => server.socket && server.tell(),
    deliver: () => server.socket && deliver(),
    deliverAll: async () => {
      while (server.socket && server.outgoing.length) await deliver();
    },
    cut: () => random.of(0.3) && cut(),
    crash: () => server.socket && random.of(0.3) && server.crash(),
    restart() {
      if (random.of(0.9)) return;
      cut();
      server.epoch = `E${seed}.${clock.now}`;
      server.log = [];
      server.forget();
    },
    wait() {
      clock.advance(random.below(1500));
      connect();
    },
  };
  function connect() {
    if (server.socket?.isClosed) server.socket = null; // the page gave it up
    const next = sockets.at(-1);
    if (next.readyState !== 0) return;
    server.socket = null;
    next.open();
    server.accept(next);
  }

  const plan = Object.keys(steps);
  connect();
  for (let i = 0; i < STEPS; i++) await steps[random.pick(plan)]();
  // From here on all goes well.
  isCalm = true;
  server.random = { of: (probability) => probability > 0.5 };
  await settled(isInflated);
  for (let i = 0; i < 200 && (page.pending.size || !page.connection.live || server.outgoing.length || i < 3); i++) {
    connect();
    while (server.socket && messages(server.socket).length > server.read) server.serve();
    server.commit();
    if (server.socket) server.tell();
    await steps.deliverAll();
    clock.advance(500);
  }
  assert.equal(page.session.seq, server.seq);
  assert.equal(page.pending.size, 0);
  assert.equal(page.session.epoch, server.epoch);
  for (let x = 0; x < 6; x++) {
    for (let y = 0; y < 2; y++) assert.equal(page.picture.at(x, y), server.color(x, y), `${x}, ${y}`);
  }
  const unique = server.log.map(([, , color]) => color & 0xffffff).filter((color) => color >= UNIQUE);
  assert.equal(unique.length, new Set(unique).size, "nothing is painted twice");
  assert.equal(page.dropped.reduce((sum, [count]) => sum + count, 0), reported);
  return { wanted, server };
}

test("whatever happens, the page ends up with what the server has, and nothing is lost without a word", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      const { wanted, server } = await run(seed);
      if (server.epoch !== "E0") continue; // what was painted before went with the old canvas
      for (const [index, color] of wanted) {
        const [x, y] = [index % SIZE.width, Math.floor(index / SIZE.width)];
        assert.ok(server.log.some(([a, b, c, user]) => a === x && b === y && (c === color || user === "ann")), `${x}, ${y}`);
      }
    } catch (problem) {
      problem.message = `seed ${seed}: ${problem.message}`;
      throw problem;
    }
  }
});
