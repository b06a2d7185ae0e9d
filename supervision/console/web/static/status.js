/**
 * The status of the connection: a dot in the header, and a banner when the server cannot be reached.
 */
import { h, setText } from "./dom.js";

const LABELS = { connecting: "Connecting", live: "Live", lost: "Not connected" };

export class Status {
  #dot = /** @type {HTMLElement} */ (document.getElementById("status"));
  #banner = /** @type {HTMLElement} */ (document.getElementById("banner"));
  #text = h("span");
  #ticker = 0;
  #paused = false;
  /** @type {import("./live.js").State} */
  #state = { status: "connecting", retryAt: 0 };

  /** @param {() => void} onretry */
  constructor(onretry) {
    const retry = h("button", { type: "button", className: "button", onclick: onretry }, "Retry now");
    this.#banner.append(this.#text, retry);
  }

  /** @param {import("./live.js").State} state */
  show(state) {
    this.#state = state;
    clearInterval(this.#ticker);
    if (state.status === "lost") this.#ticker = setInterval(() => this.#countDown(), 500);
    this.#render();
  }

  /** @param {boolean} paused whether the user has paused the updates */
  pause(paused) {
    this.#paused = paused;
    this.#render();
  }

  #render() {
    const { status } = this.#state;
    const isPaused = this.#paused && status === "live";
    this.#dot.dataset.status = isPaused ? "paused" : status;
    setText(/** @type {Element} */ (this.#dot.lastElementChild), isPaused ? "Paused" : LABELS[status]);
    document.body.classList.toggle("stale", status === "lost");
    this.#banner.hidden = status !== "lost";
    this.#countDown();
  }

  #countDown() {
    const seconds = Math.ceil((this.#state.retryAt - performance.now()) / 1000);
    setText(this.#text, seconds > 0 ? `The server cannot be reached. Next attempt in ${seconds} s.` : "Connecting again…");
  }
}
