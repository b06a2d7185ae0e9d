/**
 * Own pixels the server has not acknowledged yet. Pure: the time is passed in, in milliseconds.
 *
 * At most one update per pixel is under way; a newer colour waits for the acknowledgement of the older one. So an
 * acknowledgement is never ambiguous, and painting over a pixel while it waits costs no message.
 *
 * @typedef {{color: number, sent: number | null, sends: number, deadline: number, refused: boolean}} Entry
 */

/** Silence this long after a send means the update or its acknowledgement was lost. */
const ACK_TIMEOUT = 8000;
/** An update that was refused may still cross with acknowledgements of its neighbours; after this it was the one. */
const REFUSAL_GRACE = 700;
/** A pixel that meets a crash each time it is sent is given up, rather than sent for ever. */
const MAX_SENDS = 3;

export class Pending {
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  /** Indexes to send, oldest first. @type {Set<number>} */
  #queue = new Set();

  /** Unacknowledged pixels. */
  get size() {
    return this.#entries.size;
  }

  /** Pixels that still have to be sent. */
  get queued() {
    return this.#queue.size;
  }

  /** @param {number} index */
  has(index) {
    return this.#entries.has(index);
  }

  /** @returns {Iterable<[number, number]>} index and colour of each pixel to show over the server's */
  *colors() {
    for (const [index, entry] of this.#entries) yield [index, entry.color];
  }

  /**
   * Want a pixel in a colour.
   * @param {number} index
   * @param {number} color
   * @param {number} confirmed the server's colour; wanting it back before anything was sent is wanting nothing
   */
  put(index, color, confirmed) {
    const entry = this.#entries.get(index);
    if (entry === undefined) {
      this.#entries.set(index, { color, sent: null, sends: 0, deadline: Infinity, refused: false });
      this.#queue.add(index);
    } else if (entry.sent === null && color === confirmed) {
      this.#drop(index);
    } else {
      entry.color = color; // queued already, or under way: then it follows the acknowledgement
    }
  }

  /**
   * Take the next update to send; it is under way from now on.
   * @param {number} now
   * @returns {{index: number, color: number} | null}
   */
  take(now) {
    for (const index of this.#queue) {
      this.#queue.delete(index);
      const entry = this.#entries.get(index);
      entry.sent = entry.color;
      entry.sends += 1;
      entry.refused = false;
      entry.deadline = now + ACK_TIMEOUT;
      return { index, color: entry.color };
    }
    return null;
  }

  /**
   * The server applied our update.
   * @param {number} index
   * @param {number} color
   */
  acknowledge(index, color) {
    const entry = this.#entries.get(index);
    if (entry === undefined || entry.sent !== color) return;
    entry.sends = 0;
    if (entry.color === color) this.#drop(index);
    else this.#requeue(index, entry);
  }

  /**
   * The server refused one of the updates under way without saying which.
   * @param {number} now
   */
  refuse(now) {
    for (const entry of this.#entries.values()) {
      if (entry.sent === null) continue;
      entry.refused = true;
      entry.deadline = Math.min(entry.deadline, now + REFUSAL_GRACE);
    }
  }

  /**
   * Settle what was under way against a fresh copy of the server's canvas: what is on it has arrived, the rest is sent
   * again.
   * @param {(index: number) => number} confirmed the server's colour of a pixel
   */
  settle(confirmed) {
    for (const [index, entry] of [...this.#entries]) {
      if (entry.color === confirmed(index)) this.#drop(index);
      else if (entry.sent !== null && entry.sends >= MAX_SENDS) this.#drop(index);
      else if (entry.sent !== null) this.#requeue(index, entry);
    }
  }

  /**
   * Give up what was refused, send again what was lost.
   * @param {number} now
   * @returns {number[]} indexes that show the server's colour again
   */
  expire(now) {
    const dropped = [];
    for (const [index, entry] of [...this.#entries]) {
      if (now < entry.deadline) continue;
      if (entry.refused || entry.sends >= MAX_SENDS) {
        this.#drop(index);
        dropped.push(index);
      } else this.#requeue(index, entry);
    }
    return dropped;
  }

  clear() {
    this.#entries.clear();
    this.#queue.clear();
  }

  #requeue(index, entry) {
    entry.sent = null;
    entry.deadline = Infinity;
    entry.refused = false;
    this.#queue.add(index);
  }

  #drop(index) {
    this.#entries.delete(index);
    this.#queue.delete(index);
  }
}
