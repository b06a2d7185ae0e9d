/**
 * Own pixels that the server has not acknowledged yet. Pure: the time is passed in, in milliseconds.
 *
 * A pixel waits in the queue; then it is under way in one message, which has an id. It is over when the server says so:
 * by the pixel's own change, by the acknowledgement of the message, or by a refusal. A pixel is under way once at most;
 * a newer colour waits until that is over, and painting over a pixel that waits costs no message.
 *
 * Answers that may have been lost are asked for by sending the message again, under the same id: the server paints what
 * it does not know, and only answers what it knows.
 *
 * @typedef {{color: number, sent: number | null, message: number, losses: number}} Entry sent: the colour that is under
 *   way, null in the queue; message: the id of its message; losses: how often it was sent in vain
 * @typedef {{indexes: Set<number>, seq: number | null}} Message indexes: what of it is under way; seq: once it is
 *   acknowledged, the change with which all of it is on the canvas
 */

/**
 * Own pixels under way for so long, and not one of them over: the connection is dead, whatever else arrives. A disk that
 * is slow keeps pixels waiting, too.
 */
export const ACK_TIMEOUT = 60_000;
/** A pixel that meets a crash each time it is sent is given up, rather than sent for ever. */
const MAX_LOSSES = 3;

export class Pending {
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  /** Indexes to send, oldest first. @type {Set<number>} */
  #queue = new Set();
  /** What is under way, by id. @type {Map<number, Message>} */
  #messages = new Map();
  /** Ids of messages to send again, oldest first. @type {Set<number>} */
  #repeats = new Set();
  #nextId = 0;
  /** When something of what is under way was last heard of, or began to be under way. */
  #heardAt = 0;

  /** Pixels that are not acknowledged. */
  get size() {
    return this.#entries.size;
  }

  /** Pixels that still have to be sent. */
  get queued() {
    return this.#queue.size;
  }

  /** Pixels that were sent and are not acknowledged. */
  get underWay() {
    return this.#entries.size - this.#queue.size;
  }

  /** Pixels of the message that has to be sent again next; 0 if there is no such message. */
  get repeat() {
    for (const id of this.#repeats) return this.#messages.get(id)?.indexes.size ?? 0;
    return 0;
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
   * Take the next message to send; its pixels are under way from now on.
   * @param {number} most pixels, at least 1; as many must be queued
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
   * Take the next message to send again, with those of its pixels that are not over.
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
   * The server has changed a pixel in our name.
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
   * All of a message that was not refused is on the canvas, as of a change.
   * @param {number} id
   * @param {number} seq of that change
   * @param {number} now
   */
  acknowledge(id, seq, now) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.seq = seq;
    this.#heardAt = now;
  }

  /**
   * The page knows the canvas as of a change: what was acknowledged up to there is over.
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
   * The server has refused pixels of a message.
   * @param {number} id
   * @param {Iterable<number> | null} indexes null for all of them
   * @param {number} now
   * @returns {number[]} indexes that will not be painted; those with a newer colour are sent again
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
   * The server has refused pixels of a message for now.
   * @param {number} id
   * @param {Iterable<number> | null} indexes null for all of them
   * @param {number} now
   */
  postpone(id, indexes, now) {
    for (const [index, entry] of this.#refused(id, indexes, now)) this.#requeue(index, entry);
  }

  /**
   * All that the server did with what was under way is known: what is still open waits there, or was lost, or its
   * answer was. It is sent again.
   * @param {number} now
   * @returns {number[]} indexes of pixels that were sent in vain too often, and are given up
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

  /** The page gives up a connection that is silent about what is under way: that tells nothing against the pixels. */
  excuse() {
    for (const { indexes } of this.#messages.values()) {
      for (const index of indexes) /** @type {Entry} */ (this.#entries.get(index)).losses -= 1;
    }
  }

  /**
   * Give up pixels that wait in the queue.
   * @param {Iterable<number>} indexes
   */
  forget(indexes) {
    for (const index of indexes) {
      if (this.#queue.delete(index)) this.#entries.delete(index);
    }
  }

  /**
   * Whether the server has been silent about what is under way for too long.
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

  /** What was under way is over; a newer colour follows. */
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
