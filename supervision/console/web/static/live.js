/**
 * What the server tells by itself: a WebSocket that comes back, with exponential back-off and full jitter.
 *
 * @typedef {{status: "connecting" | "live" | "lost", retryAt: number}} State retryAt in performance.now()
 *   milliseconds, 0 while an attempt is being made
 */

const BASE_DELAY = 500;
const MAX_DELAY = 10_000;
/** It speaks once a second: after such a silence it is dead, whatever the socket says. */
const SILENCE = 10_000;

export class Live {
  /** @type {State} */
  state = { status: "connecting", retryAt: 0 };
  /** @type {(message: any) => void} */
  onmessage = () => {};
  /** @type {(state: State) => void} */
  onstate = () => {};

  #api;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  #timer = 0;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#api = api;
    addEventListener("online", () => this.state.status === "lost" && this.retry());
    addEventListener("pagehide", () => this.#discard());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
  }

  start() {
    this.#open();
  }

  /** Connect now, whatever the timer says. */
  retry() {
    this.#discard();
    this.#become("lost");
    this.#probe();
  }

  /** A WebSocket does not say why it is refused, so ask first: the session may be over. */
  async #probe() {
    try {
      await this.#api.get("session");
    } catch {
      return this.#lost();
    }
    return this.#open();
  }

  #open() {
    this.#discard();
    const url = new URL("api/v1/live", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#expect();
    socket.onmessage = (event) => this.#heard(JSON.parse(event.data));
    socket.onclose = () => this.#lost();
  }

  #heard(message) {
    this.#expect();
    this.#attempt = 0;
    if (this.state.status !== "live") this.#become("live");
    this.onmessage(message);
  }

  #expect() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), SILENCE);
  }

  #lost() {
    this.#discard();
    const delay = Math.random() * Math.min(MAX_DELAY, BASE_DELAY * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.retry(), delay);
    this.#become("lost", performance.now() + delay);
  }

  #discard() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(status, retryAt = 0) {
    this.state = { status, retryAt };
    this.onstate(this.state);
  }
}
