/**
 * The page's session with the server: our identity, the version of the canvas, and the handling of each message.
 *
 * The server may send `welcome` again at any time, after restarting an actor under an open socket. If we resume, the
 * missed changes follow; if not, a snapshot does. Until a snapshot is inflated, the old picture stays on screen and
 * later messages wait; our own pixels stay throughout.
 */
import { decode, encodeSubscribe, inflate } from "./protocol.js";

/** @typedef {{epoch: string, seq: number}} Version one value, because a seq has no meaning in another epoch */

/** Maximum number of pending pixels, for example while offline: about an hour of scribbling. */
const MAX_PENDING = 50_000;
/** Side of the first subscription: all of an ordinary canvas, a corner of a large one. */
const FIRST_SIDE = 2048;

function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Session {
  userId = "";
  /** @type {(error: import("./protocol.js").ServerError) => void} */
  onerror = () => {};
  /** Called when the canvas was loaded or replaced. @type {(resized: boolean) => void} */
  onload = () => {};
  /** Called when there is something to draw. */
  onchange = () => {};
  /** Called when the rules have changed. @type {(background: number) => void} */
  onrules = () => {};
  /**
   * Called when a pixel was not painted because the rules forbid it.
   * @type {(why: import("../paint/rules.js").Refusal | "cooldown" | "too_many_waiting" | "closed") => void}
   */
  onrefusal = () => {};
  /**
   * Called when own pixels were taken back; code is the server's, "lost" or "replaced".
   * @type {(count: number, code: string, message: string) => void}
   */
  ondropped = () => {};

  /** The random id of this page. With it, message ids are unique across the user's pages and connections. */
  #client = newName();
  #connection;
  #picture;
  #pending;
  #outbox;
  #people;
  #cursors;
  #rules;
  #cooldown;
  /** The version of the canvas that the picture shows; null before the first snapshot. @type {Version | null} */
  #version = null;
  /** The epoch of the last welcome, and so of the next snapshot. */
  #epoch = "";
  /** All user ids that we have had: pixels painted before a reconnect are our own, too. */
  #selves = new Set();
  /** The seq at which we have caught up; null once we have. @type {number | null} */
  #head = null;
  /** Messages that wait for a snapshot to be inflated; null if none is being inflated. @type {(import("./protocol.js").ServerMessage | null)[] | null} */
  #waiting = null;
  /** The area we last subscribed to. @type {import("./protocol.js").Area} */
  #wanted = { x: 0, y: 0, width: FIRST_SIDE, height: FIRST_SIDE };

  /**
   * @param {{connection: import("./connection.js").Connection, picture: import("../view/picture.js").Picture,
   *   pending: import("./pending.js").Pending, outbox: import("./outbox.js").Outbox,
   *   people: import("../ui/people.js").People, cursors: import("../view/cursors.js").Cursors,
   *   rules: import("../paint/rules.js").Rules, cooldown: import("../paint/cooldown.js").Cooldown}} parts
   */
  constructor({ connection, picture, pending, outbox, people, cursors, rules, cooldown }) {
    this.#connection = connection;
    this.#picture = picture;
    this.#pending = pending;
    this.#outbox = outbox;
    this.#people = people;
    this.#cursors = cursors;
    this.#rules = rules;
    this.#cooldown = cooldown;
    connection.onopen = () => {
      this.#waiting = null;
      outbox.reset();
    };
    connection.onframe = (frame) => {
      const message = decode(frame);
      if (this.#waiting) this.#waiting.push(message);
      else this.#receive(message);
    };
  }

  /** The query of `/ws`: the page's id, the version it shows, and the area to subscribe to. */
  get query() {
    const { x, y, width, height } = this.#version ? this.#picture.area : this.#wanted;
    return new URLSearchParams(/** @type {any} */ ({ client: this.#client, ...this.#version, x, y, width, height })).toString();
  }

  /** The last change that the picture shows; 0 before the first snapshot. */
  get seq() {
    return this.#version?.seq ?? 0;
  }

  get epoch() {
    return this.#version?.epoch ?? "";
  }

  /** Whether the canvas is too large to subscribe to as a whole. */
  get isLarge() {
    return this.#picture.width > FIRST_SIDE || this.#picture.height > FIRST_SIDE;
  }

  /**
   * Subscribe to another area of a large canvas.
   * @param {import("./protocol.js").Area} area
   */
  lookAt(area) {
    this.#wanted = area;
    if (this.#connection.live && this.#connection.send(encodeSubscribe(area))) this.#connection.expect();
  }

  /**
   * Paint a pixel. It shows at once; the server confirms it or makes the page take it back.
   * @param {number} x
   * @param {number} y
   * @param {number} color packed
   * @returns {boolean} whether anything changed
   */
  paint(x, y, color) {
    if (!this.#picture.ready || !this.#picture.contains(x, y) || this.#picture.at(x, y) === color) return false;
    const index = y * this.#picture.width + x;
    if (!this.#picture.knows(index)) return false;
    const why = this.#refusal(x, y, color, index);
    if (why !== null) {
      this.onrefusal(why);
      return false;
    }
    this.#cooldown.begin(this.#people.count);
    this.#pending.put(index, color, this.#picture.confirmed(index));
    this.#picture.show(index, color);
    this.#outbox.pump();
    this.onchange();
    return true;
  }

  #refusal(x, y, color, index) {
    if (this.#connection.state.status === "closed") return "closed";
    if (this.#cooldown.left > 0) return this.#rules.refusal(x, y, color) ?? "cooldown";
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(index)) return "too_many_waiting";
    return this.#rules.refusal(x, y, color);
  }

  /**
   * Take back own pixels that will not be painted, and report it.
   * @param {number[]} indexes
   * @param {string} code the server's error code, or "lost"
   * @param {string} [message] the server's message, for the user
   */
  revert(indexes, code, message = "") {
    if (!indexes.length) return;
    this.#reveal(indexes);
    this.ondropped(indexes.length, code, message);
  }

  /** Show the server's colours where we have no pending pixels any more. */
  #reveal(indexes) {
    for (const index of indexes) {
      if (this.#picture.knows(index)) this.#picture.show(index, this.#picture.confirmed(index));
    }
    if (indexes.length) this.onchange();
  }

  #receive(message) {
    switch (message?.type) {
      case "changes":
        this.#apply(message);
        break;
      case "cursors":
        for (const { x, y, userId } of message.cursors) {
          if (userId !== this.userId) this.#cursors.move(userId, x, y, this.#people.label(userId));
        }
        break;
      case "presence":
        for (const { joined, userId, name } of message.changes) {
          if (joined) this.#people.join(userId, name);
          else {
            this.#people.leave(userId);
            this.#cursors.remove(userId);
          }
        }
        break;
      case "user_count":
        this.#people.recount(message.count);
        break;
      case "welcome":
        this.#greet(message);
        break;
      case "snapshot":
        this.#load(message);
        break;
      case "ack":
        this.#acknowledge(message);
        break;
      case "refused":
        this.#refuse(message);
        break;
      case "error":
        this.#fail(message);
        break;
    }
  }

  #greet(welcome) {
    this.userId = welcome.userId;
    this.#selves.add(welcome.userId);
    this.#people.replace(welcome.userId, welcome.users, welcome.names, welcome.userCount);
    if (welcome.userCount <= welcome.users.length) this.#cursors.keep(new Set(welcome.users));
    this.#outbox.configure(welcome.width, welcome.rateLimit);
    this.#cooldown.adopt(welcome.rules.cooldown);
    if (this.#rules.adopt(welcome.rules)) this.onrules(welcome.background);
    this.#epoch = welcome.epoch;
    this.#outbox.hold();
    if (!this.#isShown(welcome)) this.#begin(welcome);
    if (welcome.resumed) return this.#resume(welcome);
    this.#head = 0; // any snapshot catches us up
    this.#connection.expect();
  }

  #isShown({ width, height, background }) {
    const picture = this.#picture;
    return width === picture.width && height === picture.height && background === picture.background;
  }

  /** Start over with a canvas of another size or background; drop our pending pixels. */
  #begin(welcome) {
    const { size } = this.#pending;
    this.#pending.clear();
    this.#picture.reset(welcome);
    this.#version = null;
    if (size) this.ondropped(size, "replaced", "");
  }

  #resume({ epoch, seq, head }) {
    if (this.#version?.epoch !== epoch) return this.#startOver();
    this.#version = { epoch, seq };
    this.#head = head;
    this.#connection.confirm();
    this.#catchUp();
  }

  /** Reconnect without a version: the changes do not continue what we show. A correct server never causes this. */
  #startOver() {
    this.#version = null;
    this.#connection.lose();
  }

  async #load({ seq, whole, area, tiles }) {
    const { generation } = this.#connection;
    const waiting = (this.#waiting = []);
    const colors = await Promise.all(tiles.map(({ data }) => (data.length ? inflate(data) : null))).catch(() => null);
    if (generation !== this.#connection.generation) return;
    if (colors === null) return this.#startOver();
    const isFirst = !this.#picture.ready;
    this.#picture.load(area, new Map(tiles.map(({ number }, i) => [number, colors[i]])), whole);
    this.#version = { epoch: this.#epoch, seq };
    this.#connection.confirm();
    this.#catchUp();
    for (const [index, color] of this.#pending.colors()) {
      if (this.#picture.knows(index)) this.#picture.show(index, color);
    }
    this.onload(isFirst);
    this.onchange();
    this.#waiting = null;
    while (waiting.length && generation === this.#connection.generation) {
      this.#receive(waiting.shift());
      const next = /** @type {typeof waiting | null} */ (this.#waiting);
      if (next) return void next.push(...waiting); // the message was another snapshot
    }
  }

  #apply({ after, upto, each }) {
    if (after !== this.seq) return this.#startOver();
    const now = performance.now();
    each((x, y, color, userId) => {
      const index = y * this.#picture.width + x;
      if (this.#selves.has(userId)) this.#pending.land(index, color, now);
      if (!this.#picture.knows(index)) return; // our own pixel, outside the current subscription
      this.#picture.confirm(index, color);
      if (!this.#pending.has(index)) this.#picture.show(index, color);
    });
    this.#version = { .../** @type {{epoch: string}} */ (this.#version), seq: upto };
    this.#reveal(this.#pending.reach(upto));
    this.onchange();
    this.#catchUp();
    if (this.#pending.queued) this.#outbox.pump();
  }

  /** Once we have caught up, every message in flight has either arrived or must be resent. */
  #catchUp() {
    if (this.#head === null || this.seq < this.#head) return;
    this.#head = null;
    this.#reveal(this.#pending.reach(Infinity)); // whatever was acknowledged is part of what we show now
    this.revert(this.#pending.settle(performance.now()), "lost");
    this.#sift();
    this.#outbox.release();
  }

  /** Give up own pixels that the new rules forbid: the server would refuse the pixels behind them, too. */
  #sift() {
    /** @type {Map<string, number[]>} */
    const refused = new Map();
    for (const [index, color] of this.#pending.colors()) {
      const x = index % this.#picture.width;
      const why = this.#rules.refusal(x, (index - x) / this.#picture.width, color);
      if (why !== null) refused.set(why, refused.get(why) ?? []).get(why)?.push(index);
    }
    for (const [why, indexes] of refused) {
      this.#pending.forget(indexes);
      this.revert(indexes, why);
    }
  }

  #acknowledge({ id, seq }) {
    this.#pending.acknowledge(id, seq, performance.now());
    this.#reveal(this.#pending.reach(this.seq));
    if (this.#pending.queued) this.#outbox.pump();
  }

  #refuse(refused) {
    if (refused.code === "cooldown") this.#cooldown.begin(this.#people.count, refused.retryAfter);
    this.#outbox.refused(refused);
  }

  /** Handle an error about a subscription or a cursor: a snapshot that we asked for will not come. */
  #fail(error) {
    if (this.#connection.live) this.#connection.confirm();
    if (error.code === "rate_limited") this.#outbox.slowDown();
    this.onerror(error);
  }
}
