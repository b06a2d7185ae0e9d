/**
 * This page's life with the server: who we are, what is confirmed, what each message does.
 *
 * `welcome` and `canvas_state` may come again at any moment, because an actor on the server was restarted under an open
 * socket. Until the new canvas is complete the old one stays on screen; what we painted stays throughout.
 */
import { decode } from "./protocol.js";

/** Own pixels that may wait, for example while offline: an hour of scribbling, not more. */
const MAX_PENDING = 50_000;

export class Session {
  userId = "";
  epoch = "";
  seq = 0;
  /** @type {(error: import("./protocol.js").ServerError) => void} */
  onerror = () => {};
  /** The canvas was loaded, or replaced. @type {(resized: boolean) => void} */
  onload = () => {};
  /** Something to draw. */
  onchange = () => {};

  #connection;
  #picture;
  #pending;
  #outbox;
  #people;
  #cursors;
  /** @type {import("./protocol.js").Welcome | null} the newest welcome, until its canvas_state has come */
  #welcome = null;
  /** Changes that overtook the canvas_state they belong after. @type {import("./protocol.js").PixelChanged[]} */
  #early = [];
  #shape = { width: 0, height: 0, background: 0xffffffff };

  /**
   * @param {{connection: import("./connection.js").Connection, picture: import("./picture.js").Picture,
   *   pending: import("./pending.js").Pending, outbox: import("./outbox.js").Outbox,
   *   people: import("./people.js").People, cursors: import("./cursors.js").Cursors}} parts
   */
  constructor({ connection, picture, pending, outbox, people, cursors }) {
    this.#connection = connection;
    this.#picture = picture;
    this.#pending = pending;
    this.#outbox = outbox;
    this.#people = people;
    this.#cursors = cursors;
    connection.onopen = () => outbox.reset();
    connection.onframe = (frame) => this.#receive(decode(frame));
  }

  /**
   * Paint a pixel: it shows at once, and is confirmed or taken back by the server.
   * @param {number} x
   * @param {number} y
   * @param {number} color packed
   * @returns {boolean} whether anything changed
   */
  paint(x, y, color) {
    if (!this.#picture.ready || !this.#picture.contains(x, y) || this.#picture.at(x, y) === color) return false;
    const index = y * this.#picture.width + x;
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(index)) return false;
    this.#pending.put(index, color, this.#picture.confirmed(index));
    this.#picture.show(index, color);
    this.#outbox.pump();
    this.onchange();
    return true;
  }

  /**
   * Take back own pixels that will not come.
   * @param {number[]} indexes
   */
  revert(indexes) {
    for (const index of indexes) this.#picture.show(index, this.#picture.confirmed(index));
    this.onchange();
  }

  #receive(message) {
    switch (message?.type) {
      case "pixel_changed":
        if (this.#welcome) this.#early.push(message);
        else this.#apply(message);
        break;
      case "cursor_moved":
        if (message.userId !== this.userId) this.#cursors.move(message.userId, message.x, message.y);
        break;
      case "user_joined":
        this.#people.join(message.userId);
        break;
      case "user_left":
        this.#people.leave(message.userId);
        this.#cursors.remove(message.userId);
        break;
      case "welcome":
        this.#greet(message);
        break;
      case "canvas_state":
        this.#load(message);
        break;
      case "error":
        this.#fail(message);
        break;
    }
  }

  #greet(welcome) {
    this.#welcome = welcome;
    this.#early = [];
    this.userId = welcome.userId;
    this.#people.replace(welcome.userId, welcome.users, welcome.userCount);
    if (welcome.userCount <= welcome.users.length) this.#cursors.keep(new Set(welcome.users));
    this.#outbox.configure(welcome.width, welcome.rateLimit);
  }

  #load(state) {
    const { width, height, background } = this.#welcome ?? this.#shape;
    const resized = width !== this.#shape.width || height !== this.#shape.height;
    this.#shape = { width, height, background };
    if (resized) this.#pending.clear(); // their indexes belong to another canvas
    this.#picture.load(this.#shape, state.cells);
    this.epoch = state.epoch;
    this.seq = state.seq;
    this.#welcome = null;
    for (const change of this.#early.splice(0)) this.#apply(change);
    this.#pending.settle((index) => this.#picture.confirmed(index));
    for (const [index, color] of this.#pending.colors()) this.#picture.show(index, color);
    this.#connection.confirm();
    this.onload(resized);
    this.onchange();
    this.#outbox.pump();
  }

  #apply({ x, y, color, userId, seq }) {
    if (seq <= this.seq) return;
    this.seq = seq;
    const index = y * this.#picture.width + x;
    this.#picture.confirm(index, color);
    if (userId === this.userId) this.#pending.acknowledge(index, color);
    if (!this.#pending.has(index)) {
      this.#picture.show(index, color);
      this.onchange();
    }
    if (this.#pending.queued) this.#outbox.pump();
  }

  #fail(error) {
    this.#outbox.refused(error.code === "rate_limited");
    this.onerror(error);
  }
}
