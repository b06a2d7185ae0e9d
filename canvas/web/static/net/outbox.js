/**
 * What this page sends: own pixels and the own cursor, under the server's rate limit.
 *
 * A pixel goes out in the same task in which it was painted while there is allowance; after that, as fast as the limit
 * gives, and as the server acknowledges. The cursor takes only what pixels leave over. Until the page has caught up
 * with the server, pixels wait: only then is it known which of those that were under way have arrived.
 */
import { Pace } from "./pace.js";
import { MAX_PIXELS, encodeCursor, encodePixels } from "./protocol.js";

const CURSOR_INTERVAL = 50;
/** While pixels wait they show where the hand is, so the cursor may lag. */
const BUSY_CURSOR_INTERVAL = 250;
/** Allowance the cursor leaves for pixels. */
const CURSOR_RESERVE = 20;
/**
 * Pixels under way at most. On a network that is slower than the limit the rest waits here, not in buffers where it
 * would delay what comes after; at 4,000 a second it is half a second.
 */
const MAX_UNDER_WAY = 2000;
const WATCH_INTERVAL = 1000;
/** When we were too fast, and the server did not say how long to wait. */
const HOLD = 1000;

export class Outbox {
  #pace = new Pace();
  #connection;
  #pending;
  #ondropped;
  #width = 1;
  /** Whether the page has yet to catch up. */
  #isHeld = true;
  /** What was taken from the allowance already, for the message that has to be sent again next. */
  #paid = 0;
  #pumpTimer = 0;
  #cursorTimer = 0;
  #cursorAt = 0;
  /** @type {{x: number, y: number} | null} */
  #cursor = null;
  #cursorSent = "";

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {import("./pending.js").Pending} pending
   * @param {(indexes: number[], code: string, message: string) => void} ondropped own pixels that the server refused,
   *   and its words
   */
  constructor(connection, pending, ondropped) {
    this.#connection = connection;
    this.#pending = pending;
    this.#ondropped = ondropped;
    setInterval(() => this.#watch(), WATCH_INTERVAL);
  }

  get #maySend() {
    return this.#connection.live && !this.#isHeld;
  }

  /** A new socket has not heard of our cursor. */
  reset() {
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
   * The server refused pixels that we sent: send them later if we were too fast, give them up otherwise.
   * @param {import("./protocol.js").Refused} refused
   */
  refused({ id, code, message, retryAfter, pixels }) {
    const now = performance.now();
    const indexes = pixels && pixels.map(({ x, y }) => y * this.#width + x);
    if (code === "rate_limited") {
      this.slowDown(retryAfter);
      this.#pending.postpone(id, indexes, now);
    } else this.#ondropped(this.#pending.refuse(id, indexes, now), code, message);
    this.pump();
  }

  /**
   * We were too fast.
   * @param {number | null} [ms] how long to send nothing
   */
  slowDown(ms) {
    this.#pace.hold(performance.now(), ms || HOLD);
  }

  /** Send what may be sent now, and come back for the rest. */
  pump() {
    clearTimeout(this.#pumpTimer);
    if (!this.#maySend) return;
    const now = performance.now();
    while (this.#mayRepeat(now)) this.#post(this.#pending.takeRepeat());
    if (!this.#pending.repeat) {
      for (let count; (count = this.#allowance(now)) > 0; ) this.#post(this.#pending.take(count, now));
      // A full window is opened by what the server says.
      if (!this.#pending.queued || this.#pending.underWay >= MAX_UNDER_WAY) return;
    }
    this.#pumpTimer = setTimeout(() => this.pump(), Math.max(8, this.#pace.wait(now)));
  }

  #post({ id, pixels }) {
    this.#connection.send(encodePixels(id, pixels.map((pixel) => this.#place(pixel))));
  }

  /** Whether there is a message to send again, and the allowance for all of it. */
  #mayRepeat(now) {
    const { repeat } = this.#pending;
    while (this.#paid < repeat && this.#pace.take(now)) this.#paid += 1;
    if (!repeat || this.#paid < repeat) return false;
    this.#paid = 0;
    return true;
  }

  /** As many pixels as one message holds and the limit allows. */
  #allowance(now) {
    const { queued, underWay } = this.#pending;
    const most = Math.min(MAX_PIXELS, queued, MAX_UNDER_WAY - underWay);
    let count = 0;
    while (count < most && this.#pace.take(now)) count += 1;
    return count;
  }

  #place({ index, color }) {
    const x = index % this.#width;
    return { x, y: (index - x) / this.#width, color };
  }

  #watch() {
    if (!this.#maySend || this.#connection.loading) return;
    if (!this.#pending.isOverdue(performance.now())) return;
    this.#pending.excuse();
    this.#connection.lose();
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
