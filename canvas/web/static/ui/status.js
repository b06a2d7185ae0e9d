/**
 * The connection's state, for the eye and for a screen reader.
 */

/** While connected, pixels wait for the server's limit and for their acknowledgement: fewer than this is no delay. */
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
   * @param {{size: number}} pending own pixels not acknowledged
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

  /** Once per change: the countdown is for the eye only. */
  #announce({ status, reason }) {
    this.#announcer.textContent = reason ? `${reason}. ${LABELS[status]}.` : LABELS[status];
  }
}
