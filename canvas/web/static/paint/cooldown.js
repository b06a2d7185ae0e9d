/**
 * The wait between two pixels, and its countdown on the current colour.
 *
 * The server counts for a user, whatever windows they have open, so all windows of a browser share one end of the wait.
 */

const STORED = "canopy.wait";
/** As many people make the wait the longest. */
const CROWD = 1000;
/** Two pixels may arrive closer together than they were sent. */
const MARGIN = 250;
/** A wait that is worth telling the end of, in milliseconds. */
const LONG = 3000;

/**
 * How long somebody waits among so many.
 * @param {{shortest: number, longest: number}} rule seconds
 * @param {number} people
 * @returns {number} milliseconds
 */
export function wait({ shortest, longest }, people) {
  return 1000 * (shortest + (longest - shortest) * Math.min(1, Math.max(0, people - 1) / (CROWD - 1)));
}

/**
 * A wait in words, as short as can be.
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
  /** The wait goes on, is over, or there is none on this canvas. */
  onchange = () => {};
  /** The wait is over; `wasLong`: so long that people may have looked away. @type {(wasLong: boolean) => void} */
  onover = () => {};
  /** When the wait is over, in `Date.now()` milliseconds. */
  #until = 0;
  #from = 0;
  #timer = 0;
  #dock;
  #label;

  /**
   * @param {HTMLElement} dock what is subdued meanwhile
   * @param {HTMLElement} label where the countdown stands
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

  /** Whether people wait between two pixels on this canvas. */
  get applies() {
    return this.#rule !== null;
  }

  /** Milliseconds until the next pixel may be painted. */
  get left() {
    return this.#rule === null ? 0 : Math.max(0, this.#until - Date.now());
  }

  /**
   * A pixel was painted, or the server says that it came too early.
   * @param {number} people how many are here
   * @param {number | null} [left] milliseconds, when the server has said how long the wait is
   */
  begin(people, left = null) {
    if (this.#rule === null) return;
    this.#until = Date.now() + (left ?? wait(this.#rule, people)) + MARGIN;
    remember(this.#until);
    this.#show();
  }

  /** Nod to whoever tries to paint before the wait is over. */
  nudge() {
    this.#label.classList.remove("nudged");
    void this.#label.offsetWidth; // or the animation would not begin again
    this.#label.classList.add("nudged");
  }

  /** Go on with the wait that another window, or this one before it was loaded again, began. */
  #resume() {
    const longest = this.#rule === null ? 0 : 1000 * Math.max(this.#rule.shortest, this.#rule.longest) + MARGIN;
    this.#until = Math.min(recall(), Date.now() + longest); // clocks are set
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

// A browser that keeps nothing for us throws here.

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
    // It lasts as long as the page does.
  }
}
