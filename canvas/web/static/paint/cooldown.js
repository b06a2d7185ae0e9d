/**
 * The wait between two pixels, and its countdown on the current colour.
 *
 * The server has one cooldown per user, so all windows of a browser share the end of the wait.
 */

const STORED = "canopy.wait";
/** Number of users from which the wait is the longest. */
const CROWD = 1000;
/** Extra milliseconds: two pixels may arrive closer together than they were sent. */
const MARGIN = 250;
/** Milliseconds from which the end of a wait is announced. */
const LONG = 3000;

/**
 * The wait between two pixels.
 * @param {{shortest: number, longest: number}} rule seconds
 * @param {number} people number of connected users
 * @returns {number} milliseconds
 */
export function wait({ shortest, longest }, people) {
  return 1000 * (shortest + (longest - shortest) * Math.min(1, Math.max(0, people - 1) / (CROWD - 1)));
}

/**
 * Format a wait for the countdown.
 * @param {number} ms
 * @returns {string}
 */
export function format(ms) {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  return `${Math.ceil(minutes / 60)} h`;
}

export class Cooldown {
  /** @type {{shortest: number, longest: number} | null} */
  #rule = null;
  /** Called when the wait or the rule changes. */
  onchange = () => {};
  /** Called when the wait is over; `wasLong`: it was so long that the user may have looked away. @type {(wasLong: boolean) => void} */
  onover = () => {};
  /** When the wait ends, in `Date.now()` milliseconds. */
  #until = 0;
  #from = 0;
  #timer = 0;
  #dock;
  #label;

  /**
   * @param {HTMLElement} dock dimmed during the wait
   * @param {HTMLElement} label shows the countdown
   */
  constructor(dock, label) {
    this.#dock = dock;
    this.#label = label;
    addEventListener("storage", (event) => event.key === STORED && this.#resume());
  }

  /** @param {{shortest: number, longest: number} | null} rule */
  adopt(rule) {
    this.#rule = rule;
    this.#resume();
  }

  /** Whether this canvas has a cooldown. */
  get applies() {
    return this.#rule !== null;
  }

  /** Milliseconds until the next pixel may be painted. */
  get left() {
    return this.#rule === null ? 0 : Math.max(0, this.#until - Date.now());
  }

  /**
   * Start the wait: a pixel was painted, or the server refused one as too early.
   * @param {number} people number of connected users
   * @param {number | null} [left] the wait in milliseconds, if the server has told it
   */
  begin(people, left = null) {
    if (this.#rule === null) return;
    this.#until = Date.now() + (left ?? wait(this.#rule, people)) + MARGIN;
    remember(this.#until);
    this.#show();
  }

  /** Draw attention to the countdown: the user tried to paint too early. */
  nudge() {
    this.#label.classList.remove("nudged");
    void this.#label.offsetWidth; // forces a reflow, which restarts the animation
    this.#label.classList.add("nudged");
  }

  /** Continue the wait that another window began, or this one before a reload. */
  #resume() {
    const longest = this.#rule === null ? 0 : 1000 * Math.max(this.#rule.shortest, this.#rule.longest) + MARGIN;
    this.#until = Math.min(recall(), Date.now() + longest); // the clock may have been set back
    this.#show();
  }

  #show() {
    clearTimeout(this.#timer);
    const { left } = this;
    if (left > this.#from) this.#from = left;
    this.#label.hidden = left === 0;
    this.#dock.classList.toggle("cooling", left > 0);
    this.onchange();
    if (left > 0) {
      this.#label.textContent = format(left);
      this.#timer = setTimeout(() => this.#show(), left % 1000 || 1000);
      return;
    }
    if (this.#from > 0) this.onover(this.#from >= LONG);
    this.#from = 0;
  }
}

// localStorage throws in a browser that blocks it.

function recall() {
  try {
    return Number(localStorage.getItem(STORED)) || 0;
  } catch {
    return 0;
  }
}

function remember(until) {
  try {
    localStorage.setItem(STORED, String(until));
  } catch {
    // The value then lasts only as long as the page.
  }
}
