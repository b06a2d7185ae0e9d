/**
 * The rules of painting, from the welcome message. Pure.
 *
 * @typedef {{readOnly: boolean, palette: number[] | null, cooldown: {shortest: number, longest: number} | null,
 *   locked: import("../net/protocol.js").Area[]}} RuleSet colours packed, times in seconds
 * @typedef {"read_only" | "color_not_allowed" | "area_locked"} Refusal the server's error code
 */

export class Rules {
  readOnly = false;
  /** The colours that may be used; null for all. @type {number[] | null} */
  palette = null;
  /** Locked areas. @type {import("../net/protocol.js").Area[]} */
  locked = [];

  /**
   * @param {RuleSet} rules
   * @returns {boolean} whether the rules have changed
   */
  adopt({ readOnly, palette, locked }) {
    const before = JSON.stringify(this);
    Object.assign(this, { readOnly, palette, locked });
    return JSON.stringify(this) !== before;
  }

  /**
   * Why the server would refuse a pixel.
   * @param {number} x
   * @param {number} y
   * @param {number} color packed
   * @returns {Refusal | null}
   */
  refusal(x, y, color) {
    if (this.readOnly) return "read_only";
    if (!this.allows(color)) return "color_not_allowed";
    return this.locked.some((area) => within(area, x, y)) ? "area_locked" : null;
  }

  /** @param {number} color packed */
  allows(color) {
    return this.palette === null || this.palette.includes(color);
  }
}

function within({ x, y, width, height }, column, row) {
  return column >= x && row >= y && column < x + width && row < y + height;
}
