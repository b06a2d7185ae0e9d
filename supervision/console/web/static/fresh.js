/**
 * Pure. Recently restarted actors: each is marked for a while after it is first shown, however late the server responds.
 */

/** Milliseconds for which a restart is marked. */
const SHOWN = 4000;
/** Milliseconds after which a restart that was not shown is forgotten. */
const AWAITED = 60_000;

export class Fresh {
  /** Number of a restarted actor -> until when it is marked, or waits to be shown. @type {Map<string, {until: number, isShown: boolean}>} */
  #restarts = new Map();

  /**
   * @param {string[]} refs actors that were restarted
   * @param {number} now
   */
  add(refs, now) {
    for (const [ref, { until }] of this.#restarts) if (until <= now) this.#restarts.delete(ref);
    for (const ref of refs) this.#restarts.set(ref, { until: now + AWAITED, isShown: false });
  }

  /**
   * Tell whether to mark an actor that is being shown.
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
