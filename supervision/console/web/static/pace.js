/**
 * Repeats work without overloading the server: never twice at a time, and the slower it is, the less often.
 */

/** Maximum share of the time for the work. */
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
  /** The earliest time at which the work may run again, and the time at which it is due. */
  #earliest = 0;
  #due = 0;

  /**
   * @param {() => Promise<void>} work
   * @param {number} interval minimum milliseconds between two runs
   */
  constructor(work, interval) {
    this.#work = work;
    this.#interval = interval;
  }

  /**
   * Run the work if it is due and the page is visible.
   * @param {boolean} [early] there is something new: run as soon as `SHARE` allows
   */
  tick(early = false) {
    const due = early ? this.#earliest : this.#due;
    if (!this.paused && !document.hidden && performance.now() >= due) void this.now(false);
  }

  /**
   * Run the work now; if it is already running, run it again afterwards.
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

  /** Stop: the work no longer runs, and its errors are ignored. */
  close() {
    this.#closed = true;
  }

  get closed() {
    return this.#closed;
  }
}
