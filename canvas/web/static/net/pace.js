/** A token bucket. Pure: times are arguments, in milliseconds. */

/** The share of the server's limit that we use: clocks differ, and the network bunches messages. */
const SHARE = 0.85;
/** Used if the server has no limit, so that we do not flood it: no hand paints this many pixels per second. */
const UNLIMITED = { perSecond: 4000, burst: 1000 };

export class Pace {
  #perMs = 0;
  #burst = 0;
  #tokens = 0;
  #at = 0;

  /** @param {{perSecond: number, burst: number} | null} limit */
  constructor(limit = null) {
    this.limit(limit, 0);
    this.refill();
  }

  /**
   * Adopt the server's limit, and keep what was already spent.
   * @param {{perSecond: number, burst: number} | null} limit
   * @param {number} now
   */
  limit(limit, now) {
    const { perSecond, burst } = limit ?? UNLIMITED;
    this.#perMs = (perSecond * SHARE) / 1000;
    this.#burst = Math.max(1, Math.floor(burst * SHARE));
    this.#tokens = Math.min(this.#tokens, this.#burst);
    this.#at = Math.max(this.#at, now);
  }

  /** Fill the bucket. */
  refill() {
    this.#tokens = this.#burst;
  }

  /**
   * Give no tokens for a while: we exceeded the server's limit.
   * @param {number} now
   * @param {number} ms
   */
  hold(now, ms) {
    this.#tokens = 0;
    this.#at = now + ms;
  }

  /**
   * Take one token, unless fewer than `reserve` would remain.
   * @param {number} now
   * @param {number} [reserve]
   * @returns {boolean}
   */
  take(now, reserve = 0) {
    if (now > this.#at) {
      this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
      this.#at = now;
    }
    if (this.#tokens < 1 + Math.min(reserve, this.#burst - 1)) return false;
    this.#tokens -= 1;
    return true;
  }

  /**
   * Milliseconds until the next token.
   * @param {number} now
   * @returns {number}
   */
  wait(now) {
    return Math.max(0, this.#at - now) + Math.max(0, 1 - this.#tokens) / this.#perMs;
  }
}
