/**
 * Work that is repeated, and costs the server little: never twice at a time, and the slower it is the more rarely.
 */

/** The part of the time that may go into the work. */
const SHARE = 0.1;

export class Pace {
  /** @type {(error: unknown) => void} */
  onerror = () => {};
  paused = false;

  #work;
  #interval;
  #running = false;
  #again = false;
  #closed = false;
  /** When it may be done again at the earliest, and when it is due. */
  #earliest = 0;
  #due = 0;

  /**
   * @param {() => Promise<void>} work
   * @param {number} interval milliseconds at least
   */
  constructor(work, interval) {
    this.#work = work;
    this.#interval = interval;
  }

  /**
   * Work, if it is time to and somebody sees it.
   * @param {boolean} [early] there is something to see: as soon as it does not cost too much
   */
  tick(early = false) {
    const due = early ? this.#earliest : this.#due;
    if (!this.paused && !document.hidden && performance.now() >= due) void this.now(false);
  }

  /**
   * Work now; if it is being done, once more afterwards.
   * @param {boolean} [again]
   */
  async now(again = true) {
    if (this.#closed) return;
    if (this.#running) {
      this.#again ||= again;
      return;
    }
    this.#running = true;
    this.#again = false;
    const began = performance.now();
    try {
      await this.#work();
    } catch (error) {
      if (!this.#closed) this.onerror(error);
    }
    this.#running = false;
    this.#earliest = began + (performance.now() - began) / SHARE;
    this.#due = Math.max(began + this.#interval, this.#earliest);
    if (this.#again) await this.now();
  }

  /** Nothing comes of it any more. */
  close() {
    this.#closed = true;
  }

  get closed() {
    return this.#closed;
  }
}
