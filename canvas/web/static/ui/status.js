/**
 * Shows the connection's status, also to a screen reader.
 */

/** Fewer pending pixels than this are no delay while connected: the rate limit and acknowledgements hold some back. */
const BEHIND = 85;
const LABELS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", offline: "Offline", closed: "Closed" };

export class StatusBadge {
  #badge;
  #label;
  #retry;
  #announcer = /** @type {HTMLElement} */ (document.getElementById("announcer"));
  /** @type {import("../net/connection.js").State} */
  #state = { status: "connecting", retryAt: 0, reason: "", urgent: false };
  #ticker = 0;
  #pending;

  /**
   * @param {HTMLElement} badge
   * @param {{size: number}} pending own pixels that are not acknowledged
   * @param {() => void} onretry
   */
  constructor(badge, pending, onretry) {
    this.#badge = badge;
    this.#pending = pending;
    this.#label = badge.querySelector(".status-label");
    this.#retry = badge.querySelector("button");
    this.#retry.addEventListener("click", onretry);
  }

  /** @param {import("../net/connection.js").State} state */
  show(state) {
    const changed = state.status !== this.#state.status;
    this.#state = state;
    this.#badge.dataset.status = state.status;
    this.#badge.title = state.reason;
    this.#retry.hidden = state.status === "live" || state.status === "connecting";
    clearInterval(this.#ticker);
    this.#ticker = setInterval(() => this.#render(), 250);
    this.#render();
    if (changed) this.#announce(state);
  }

  #render() {
    const { status, retryAt, reason } = this.#state;
    const seconds = Math.max(1, Math.ceil((retryAt - performance.now()) / 1000));
    const when = status === "connecting" || !retryAt ? "" : ` in ${seconds} s`;
    const { size } = this.#pending;
    const waiting = size >= (status === "live" ? BEHIND : 1) ? `, ${size.toLocaleString()} px waiting` : "";
    const what = status === "closed" && reason ? reason : LABELS[status];
    const text = what + when + waiting;
    if (this.#label.textContent !== text) this.#label.textContent = text;
  }

  /** Announce each change once; the countdown is only visible. */
  #announce({ status, reason }) {
    this.#announcer.textContent = reason ? `${reason}. ${LABELS[status]}.` : LABELS[status];
  }
}
