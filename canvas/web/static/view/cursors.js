/**
 * Other users' cursors, gliding towards their last reported positions.
 *
 * @typedef {{x: number, y: number, toX: number, toY: number, seen: number, color: string, label: string}} Cursor
 */
import { userColor } from "../paint/color.js";

/** Time constant of the glide: a cursor that reports every 50 ms moves evenly. */
const GLIDE = 55;
const IDLE_AFTER = 5000;
const FADE = 1200;
/** Maximum number of cursors shown; those that moved last stay. */
const MAX_CURSORS = 150;

export class Cursors {
  /** In the order of their last move. @type {Map<string, Cursor>} */
  #cursors = new Map();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #last = 0;
  /** Called when a cursor has moved. */
  onchange = () => {};

  /**
   * @param {string} userId
   * @param {number} x
   * @param {number} y
   * @param {string} label
   */
  move(userId, x, y, label) {
    const now = performance.now();
    const known = this.#cursors.get(userId);
    const [toX, toY] = [x + 0.5, y + 0.5];
    const fresh = !known || opacity(known, now) === 0;
    const cursor = fresh
      ? { x: toX, y: toY, toX, toY, seen: now, color: userColor(userId), label }
      : Object.assign(known, { toX, toY, seen: now, label });
    this.#cursors.delete(userId);
    this.#cursors.set(userId, cursor);
    if (this.#cursors.size > MAX_CURSORS) this.#cursors.delete(/** @type {string} */ (this.#cursors.keys().next().value));
    this.onchange();
  }

  /** @param {string} userId */
  remove(userId) {
    if (this.#cursors.delete(userId)) this.onchange();
  }

  /** @param {Set<string>} userIds all connected users */
  keep(userIds) {
    for (const userId of this.#cursors.keys()) if (!userIds.has(userId)) this.remove(userId);
  }

  /**
   * @param {string} userId
   * @returns {{x: number, y: number} | null}
   */
  find(userId) {
    const cursor = this.#cursors.get(userId);
    return cursor ? { x: cursor.toX, y: cursor.toY } : null;
  }

  /**
   * Advance all cursors.
   * @param {number} now
   * @returns {boolean} whether another frame will look different
   */
  step(now) {
    const share = this.#calm.matches ? 1 : 1 - Math.exp(-Math.min(100, now - this.#last) / GLIDE);
    this.#last = now;
    let moving = false;
    for (const cursor of this.#cursors.values()) {
      const [dx, dy] = [cursor.toX - cursor.x, cursor.toY - cursor.y];
      const near = Math.abs(dx) + Math.abs(dy) < 0.02;
      cursor.x = near ? cursor.toX : cursor.x + dx * share;
      cursor.y = near ? cursor.toY : cursor.y + dy * share;
      const idle = now - cursor.seen;
      if (!near || (idle > IDLE_AFTER && idle < IDLE_AFTER + FADE + 50)) moving = true;
    }
    return moving;
  }

  /**
   * Milliseconds until the first resting cursor starts to fade; Infinity if there is none.
   * @param {number} now
   */
  untilFade(now) {
    let soonest = Infinity;
    for (const { seen } of this.#cursors.values()) {
      const wait = seen + IDLE_AFTER - now;
      if (wait > 0 && wait < soonest) soonest = wait;
    }
    return soonest;
  }

  /**
   * @param {number} now
   * @returns {Iterable<Cursor & {opacity: number}>}
   */
  *visible(now) {
    for (const cursor of this.#cursors.values()) {
      const shade = opacity(cursor, now);
      if (shade > 0) yield { ...cursor, opacity: shade };
    }
  }
}

function opacity(cursor, now) {
  return Math.min(1, Math.max(0, 1 - (now - cursor.seen - IDLE_AFTER) / FADE));
}
