/**
 * The live updates: a WebSocket that reconnects, with exponential back-off and full jitter.
 *
 * @typedef {{status: "connecting" | "live" | "lost", retryAt: number}} State retryAt in performance.now()
 *   milliseconds, 0 while an attempt is being made
 */

const BASE_DELAY = 500;
const MAX_DELAY = 10_000;
/** Milliseconds of silence after which the connection counts as dead; the server sends a message every second. */
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

  /** Connect now, without waiting for the timer. */
  retry() {
    this.#discard();
    this.#become("lost");
    this.#probe();
  }

  /** Check the session first, since a WebSocket does not tell why it was refused. */
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
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = () => this.#lost();
  }

  #receive(message) {
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
