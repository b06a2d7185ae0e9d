/**
 * Sends this page's own pixels and cursor within the server's rate limit.
 *
 * While there is allowance, a pixel is sent in the same task in which it was painted; after that, as fast as the limit
 * and the server's acknowledgements permit. The cursor uses only the allowance that pixels leave. Until the page has
 * caught up with the server, pixels wait: only then does it know which pixels in flight have arrived.
 */
import { Pace } from "./pace.js";
import { MAX_PIXELS, encodeCursor, encodePixels } from "./protocol.js";

const CURSOR_INTERVAL = 50;
/** While pixels are queued, they show where the hand is, so the cursor may lag. */
const BUSY_CURSOR_INTERVAL = 250;
/** Allowance that the cursor leaves for pixels. */
const CURSOR_RESERVE = 20;
/**
 * Maximum number of pixels in flight: half a second's worth at 4,000 per second. On a network slower than the rate
 * limit, the rest waits here and not in send buffers, where it would delay later messages.
 */
const MAX_IN_FLIGHT = 2000;
const WATCH_INTERVAL = 1000;
/** Milliseconds to pause after a `rate_limited` error without a `retry_after`. */
const HOLD = 1000;

export class Outbox {
  #pace = new Pace();
  #connection;
  #pending;
  #ondropped;
  #width = 1;
  /** Whether pixels wait because the page has not caught up yet. */
  #isHeld = true;
  /** Allowance already taken for the message that is resent next. */
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
   * @param {(indexes: number[], code: string, message: string) => void} ondropped called with own pixels that the
   *   server refused, and its error
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

  /** Start over on a new socket, which has not been sent our cursor yet. */
  reset() {
    this.#cursorSent = "";
    this.hold();
  }

  /** Send no pixels until `release`. */
  hold() {
    this.#isHeld = true;
  }

  /** Send queued pixels again: the page has caught up. */
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
   * Handle a refusal: resend the pixels later if we exceeded the rate limit, or else give them up.
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
   * Pause sending because we exceeded the rate limit.
   * @param {number | null} [ms] length of the pause
   */
  slowDown(ms) {
    this.#pace.hold(performance.now(), ms || HOLD);
  }

  /** Send what the limits permit now, and schedule the rest. */
  pump() {
    clearTimeout(this.#pumpTimer);
    if (!this.#maySend) return;
    const now = performance.now();
    while (this.#mayRepeat(now)) this.#post(this.#pending.takeRepeat());
    if (!this.#pending.repeat) {
      for (let count; (count = this.#allowance(now)) > 0; ) this.#post(this.#pending.take(count, now));
      // An acknowledgement from the server reopens a full window.
      if (!this.#pending.queued || this.#pending.inFlight >= MAX_IN_FLIGHT) return;
    }
    this.#pumpTimer = setTimeout(() => this.pump(), Math.max(8, this.#pace.wait(now)));
  }

  #post({ id, pixels }) {
    this.#connection.send(encodePixels(id, pixels.map((pixel) => this.#place(pixel))));
  }

  /** Whether there is a message to resend, and allowance for all of it. */
  #mayRepeat(now) {
    const { repeat } = this.#pending;
    while (this.#paid < repeat && this.#pace.take(now)) this.#paid += 1;
    if (!repeat || this.#paid < repeat) return false;
    this.#paid = 0;
    return true;
  }

  /** Take allowance for the next message and return its number of pixels. */
  #allowance(now) {
    const { queued, inFlight } = this.#pending;
    const most = Math.min(MAX_PIXELS, queued, MAX_IN_FLIGHT - inFlight);
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
   * Send our cursor's position to the other viewers, throttled.
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
