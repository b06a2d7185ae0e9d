/**
 * What this page sends: own pixels and the own cursor, under the server's rate limit.
 *
 * A pixel goes out in the same task in which it was painted while there is allowance; after that, as fast as the limit
 * gives. The cursor takes only what pixels leave over. Until the page has caught up with the server, pixels wait: only
 * then is it known which of those that were under way have arrived.
 */
import { Pace } from "./pace.js";
import { MAX_PIXELS, encodeCursor, encodePixels } from "./protocol.js";

const CURSOR_INTERVAL = 50;
/** While pixels wait they show where the hand is, so the cursor may lag. */
const BUSY_CURSOR_INTERVAL = 250;
/** Allowance the cursor leaves for pixels. */
const CURSOR_RESERVE = 20;
/** More than this waiting in the browser means that the network is slower than the limit. */
const MAX_BACKLOG = 64 * 1024;
const EXPIRY_INTERVAL = 250;
const HOLD_AFTER_REFUSAL = 1000;

export class Outbox {
  #pace = new Pace();
  #connection;
  #pending;
  #width = 1;
  /** Whether the page has yet to catch up. */
  #isHeld = true;
  #pumpTimer = 0;
  #cursorTimer = 0;
  #cursorAt = 0;
  /** @type {{x: number, y: number} | null} */
  #cursor = null;
  #cursorSent = "";

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {import("./pending.js").Pending} pending
   * @param {(indexes: number[]) => void} ondropped own pixels that will not come
   */
  constructor(connection, pending, ondropped) {
    this.#connection = connection;
    this.#pending = pending;
    setInterval(() => {
      if (!this.#maySend || pending.size === 0) return;
      const dropped = pending.expire(performance.now());
      if (dropped.length) ondropped(dropped);
      this.pump();
    }, EXPIRY_INTERVAL);
  }

  get #maySend() {
    return this.#connection.live && !this.#isHeld;
  }

  /** A new socket has a new allowance, and has not heard of our cursor. */
  reset() {
    this.#pace.refill();
    this.#cursorSent = "";
    this.hold();
  }

  /** Send no pixels until `release`. */
  hold() {
    this.#isHeld = true;
  }

  /** The page has caught up: send what waits. */
  release() {
    this.#isHeld = false;
    this.pump();
  }

  /**
   * @param {number} width of the canvas
   * @param {{perSecond: number, burst: number} | null} rateLimit
   */
  configure(width, rateLimit) {
    this.#width = width;
    this.#pace.limit(rateLimit, performance.now());
  }

  /**
   * The server refused something: give up what is not acknowledged soon.
   * @param {boolean} tooFast hold still for a moment, too
   */
  refused(tooFast) {
    const now = performance.now();
    if (tooFast) this.#pace.hold(now, HOLD_AFTER_REFUSAL);
    this.#pending.refuse(now);
  }

  /** Send what may be sent now, and come back for the rest. */
  pump() {
    clearTimeout(this.#pumpTimer);
    if (!this.#maySend) return;
    const now = performance.now();
    let pixels = this.#take(now);
    while (pixels.length) {
      this.#connection.send(encodePixels(pixels));
      pixels = this.#take(now);
    }
    if (this.#pending.queued) this.#pumpTimer = setTimeout(() => this.pump(), Math.max(8, this.#pace.wait(now)));
  }

  /** As many pixels as one message holds and the limit allows. */
  #take(now) {
    const pixels = [];
    if (this.#connection.backlog >= MAX_BACKLOG) return pixels;
    while (pixels.length < MAX_PIXELS && this.#pending.queued && this.#pace.take(now)) {
      const { index, color } = this.#pending.take(now);
      const x = index % this.#width;
      pixels.push({ x, y: (index - x) / this.#width, color });
    }
    return pixels;
  }

  /**
   * Tell the others where our cursor is, soon.
   * @param {number} x
   * @param {number} y
   */
  pointAt(x, y) {
    this.#cursor = { x, y };
    if (!this.#cursorTimer) this.#sendCursor();
  }

  #sendCursor() {
    this.#cursorTimer = 0;
    if (!this.#cursor || !this.#connection.live) return;
    const now = performance.now();
    const interval = this.#pending.queued ? BUSY_CURSOR_INTERVAL : CURSOR_INTERVAL;
    const due = this.#cursorAt + interval - now;
    const { x, y } = this.#cursor;
    const place = `${x},${y}`;
    if (place === this.#cursorSent) return;
    if (due <= 0 && this.#pace.take(now, this.#pending.queued ? 0 : CURSOR_RESERVE)) {
      this.#connection.send(encodeCursor(x, y));
      this.#cursorSent = place;
      this.#cursorAt = now;
    } else this.#cursorTimer = setTimeout(() => this.#sendCursor(), Math.max(due, CURSOR_INTERVAL / 2));
  }
}
