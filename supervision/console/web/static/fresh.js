/**
 * Pure. What was restarted lately: marked for a while from when that is first shown, however late the server's answer comes.
 */

/** Milliseconds for which a restart is shown. */
const SHOWN = 4000;
/** Milliseconds after which a restart that was not shown is no news. */
const AWAITED = 60_000;

export class Fresh {
  /** Numbers of those that were restarted -> until when that is news. @type {Map<string, {until: number, isShown: boolean}>} */
  #restarts = new Map();

  /**
   * @param {string[]} refs that were started in the place of others
   * @param {number} now
   */
  add(refs, now) {
    for (const [ref, { until }] of this.#restarts) if (until <= now) this.#restarts.delete(ref);
    for (const ref of refs) this.#restarts.set(ref, { until: now + AWAITED, isShown: false });
  }

  /**
   * Whether to mark an actor that is being shown.
   * @param {string} ref
   * @param {number} now
   */
  shows(ref, now) {
    const restart = this.#restarts.get(ref);
    if (restart === undefined || restart.until <= now) return false;
    if (!restart.isShown) this.#restarts.set(ref, { until: now + SHOWN, isShown: true });
    return true;
  }
}
