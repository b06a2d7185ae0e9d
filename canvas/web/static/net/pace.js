/** A token bucket. Pure: the time is passed in, in milliseconds. */

/** The share of the server's limit we use: its clock and ours, and the network's bunching, are not the same. */
const SHARE = 0.85;
/** Without a limit we still do not flood: a stroke of this many pixels a second is beyond any hand. */
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
   * Adopt the server's limit, keeping what was already spent.
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

  /** Start over with a full bucket: a new connection has a new allowance. */
  refill() {
    this.#tokens = this.#burst;
  }

  /**
   * The server says we were too fast: send nothing for a while.
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
   * Milliseconds until a token is there.
   * @param {number} now
   * @returns {number}
   */
  wait(now) {
    return Math.max(0, this.#at - now) + Math.max(0, 1 - this.#tokens) / this.#perMs;
  }
}
