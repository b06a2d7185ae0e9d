/**
 * Own pixels that the server has not acknowledged yet. Pure: times are arguments, in milliseconds.
 *
 * A pixel is first queued, then in flight as part of one message, which has an id. The server ends the flight in one of
 * three ways: the pixel's own change arrives, the message is acknowledged, or the pixel is refused. A pixel is in
 * flight at most once: a newer colour waits until the flight ends, and painting over a queued pixel costs no message.
 *
 * If answers may have been lost, the message is resent under the same id: the server paints the pixels of a message
 * that it does not know, and only answers one that it knows.
 *
 * @typedef {{color: number, sent: number | null, message: number, losses: number}} Entry color: the colour that is
 *   wanted; sent: the colour in flight, null while queued; message: the id of its message; losses: how often it was
 *   sent without an answer
 * @typedef {{indexes: Set<number>, seq: number | null}} Message indexes: its pixels still in flight; seq: after the
 *   acknowledgement, the change at which all of it is on the canvas
 */

/**
 * Milliseconds without any progress on the pixels in flight after which the connection is given up, whatever else
 * arrives. Long, because a slow disk delays acknowledgements, too.
 */
export const ACK_TIMEOUT = 60_000;
/** A pixel that meets a crash each time it is sent is given up after this many losses. */
const MAX_LOSSES = 3;

export class Pending {
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  /** Indexes to send, oldest first. @type {Set<number>} */
  #queue = new Set();
  /** Messages in flight, by id. @type {Map<number, Message>} */
  #messages = new Map();
  /** Ids of messages to resend, oldest first. @type {Set<number>} */
  #repeats = new Set();
  #nextId = 0;
  /** When the server last answered a message in flight, or the first of them was sent. */
  #heardAt = 0;

  /** Number of pixels that are not acknowledged. */
  get size() {
    return this.#entries.size;
  }

  /** Number of pixels that have not been sent. */
  get queued() {
    return this.#queue.size;
  }

  /** Number of pixels in flight. */
  get inFlight() {
    return this.#entries.size - this.#queue.size;
  }

  /** Number of pixels in the message that is resent next; 0 if there is none. */
  get repeat() {
    for (const id of this.#repeats) return this.#messages.get(id)?.indexes.size ?? 0;
    return 0;
  }

  /** @param {number} index */
  has(index) {
    return this.#entries.has(index);
  }

  /** @returns {Iterable<[number, number]>} index and colour of each pixel to show in place of the server's */
  *colors() {
    for (const [index, entry] of this.#entries) yield [index, entry.color];
  }

  /**
   * Queue a pixel in a colour.
   * @param {number} index
   * @param {number} color
   * @param {number} confirmed the server's colour; returning to it before anything was sent unqueues the pixel
   */
  put(index, color, confirmed) {
    const entry = this.#entries.get(index);
    if (entry === undefined) {
      this.#entries.set(index, { color, sent: null, message: 0, losses: 0 });
      this.#queue.add(index);
    } else if (entry.sent === null && color === confirmed) {
      this.#entries.delete(index);
      this.#queue.delete(index);
    } else {
      entry.color = color;
    }
  }

  /**
   * Take the next message to send; its pixels are then in flight.
   * @param {number} most number of pixels, from 1 to `queued`
   * @param {number} now
   * @returns {{id: number, pixels: {index: number, color: number}[]}}
   */
  take(most, now) {
    if (this.#messages.size === 0) this.#heardAt = now;
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const indexes = new Set();
    const pixels = [];
    for (const index of this.#queue) {
      if (pixels.length === most) break;
      const entry = /** @type {Entry} */ (this.#entries.get(index));
      this.#queue.delete(index);
      Object.assign(entry, { sent: entry.color, message: id });
      indexes.add(index);
      pixels.push({ index, color: entry.color });
    }
    this.#messages.set(id, { indexes, seq: null });
    return { id, pixels };
  }

  /**
   * Take the next message to resend, with its pixels that are still in flight.
   * @returns {{id: number, pixels: {index: number, color: number}[]}}
   */
  takeRepeat() {
    const [id] = this.#repeats;
    this.#repeats.delete(id);
    const { indexes } = /** @type {Message} */ (this.#messages.get(id));
    const colorOf = (index) => /** @type {number} */ (this.#entries.get(index)?.sent);
    return { id, pixels: [...indexes].map((index) => ({ index, color: colorOf(index) })) };
  }

  /**
   * Handle a change by our own user: it ends the flight of a pixel sent in this colour.
   * @param {number} index
   * @param {number} color
   * @param {number} now
   */
  land(index, color, now) {
    const entry = this.#entries.get(index);
    if (entry === undefined || entry.sent !== color) return;
    this.#heardAt = now;
    this.#finish(index, entry);
  }

  /**
   * Handle an acknowledgement: all pixels of the message that were not refused are on the canvas as of change `seq`.
   * @param {number} id
   * @param {number} seq
   * @param {number} now
   */
  acknowledge(id, seq, now) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.seq = seq;
    this.#heardAt = now;
  }

  /**
   * The page has the canvas as of change `seq`: end the flights of messages acknowledged up to it.
   * @param {number} seq
   * @returns {number[]} indexes that show the server's colour from now on
   */
  reach(seq) {
    const over = [];
    for (const message of [...this.#messages.values()]) {
      if (message.seq === null || message.seq > seq) continue;
      for (const index of [...message.indexes]) {
        this.#finish(index, this.#entries.get(index));
        if (!this.#entries.has(index)) over.push(index);
      }
    }
    return over;
  }

  /**
   * Handle a permanent refusal of pixels of a message.
   * @param {number} id
   * @param {Iterable<number> | null} indexes null for all of them
   * @param {number} now
   * @returns {number[]} indexes that are given up; those with a newer colour are queued again
   */
  refuse(id, indexes, now) {
    const dropped = [];
    for (const [index, entry] of this.#refused(id, indexes, now)) {
      this.#finish(index, entry);
      if (!this.#entries.has(index)) dropped.push(index);
    }
    return dropped;
  }

  /**
   * Handle a temporary refusal of pixels of a message: queue them again.
   * @param {number} id
   * @param {Iterable<number> | null} indexes null for all of them
   * @param {number} now
   */
  postpone(id, indexes, now) {
    for (const [index, entry] of this.#refused(id, indexes, now)) this.#requeue(index, entry);
  }

  /**
   * Resend all messages in flight. The page has caught up after a reconnect, so a message without an answer either
   * still waits on the server, or was lost, or its answer was lost.
   * @param {number} now
   * @returns {number[]} indexes of pixels that are given up after too many losses
   */
  settle(now) {
    this.#heardAt = now;
    const dropped = [];
    for (const [id, { indexes }] of [...this.#messages]) {
      this.#repeats.add(id);
      for (const index of [...indexes]) {
        const entry = /** @type {Entry} */ (this.#entries.get(index));
        entry.losses += 1;
        if (entry.losses < MAX_LOSSES) continue;
        this.#withdraw(index, entry);
        this.#entries.delete(index);
        dropped.push(index);
      }
    }
    return dropped;
  }

  /** Take back one loss per pixel in flight: the page gave up a silent connection, so the pixels are not to blame. */
  excuse() {
    for (const { indexes } of this.#messages.values()) {
      for (const index of indexes) /** @type {Entry} */ (this.#entries.get(index)).losses -= 1;
    }
  }

  /**
   * Drop queued pixels.
   * @param {Iterable<number>} indexes
   */
  forget(indexes) {
    for (const index of indexes) {
      if (this.#queue.delete(index)) this.#entries.delete(index);
    }
  }

  /**
   * Whether the server has not answered the messages in flight for too long.
   * @param {number} now
   */
  isOverdue(now) {
    return this.#messages.size > 0 && now - this.#heardAt >= ACK_TIMEOUT;
  }

  clear() {
    this.#entries.clear();
    this.#queue.clear();
    this.#messages.clear();
    this.#repeats.clear();
  }

  *#refused(id, indexes, now) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#heardAt = now;
    for (const index of [...(indexes ?? message.indexes)]) {
      if (message.indexes.has(index)) yield [index, this.#entries.get(index)];
    }
  }

  /** End a pixel's flight; queue it again if it has a newer colour. */
  #finish(index, entry) {
    entry.losses = 0;
    if (entry.color !== entry.sent) return this.#requeue(index, entry);
    this.#withdraw(index, entry);
    this.#entries.delete(index);
  }

  #requeue(index, entry) {
    this.#withdraw(index, entry);
    this.#queue.add(index);
  }

  #withdraw(index, entry) {
    const { indexes } = /** @type {Message} */ (this.#messages.get(entry.message));
    indexes.delete(index);
    if (indexes.size === 0) {
      this.#messages.delete(entry.message);
      this.#repeats.delete(entry.message);
    }
    entry.sent = null;
  }
}
