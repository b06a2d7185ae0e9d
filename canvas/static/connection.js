/**
 * A WebSocket that comes back: exponential back-off with full jitter, paused while the device is offline.
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "closed"} Status
 * @typedef {{status: Status, retryAt: number, reason: string, urgent: boolean}} State retryAt in performance.now()
 *   milliseconds, 0 while an attempt is being made; urgent: the reason is one that people should read
 */

const BASE_DELAY = 500;
const MAX_DELAY = 30_000;
/** A connection that lived this long was a good one: the next failure starts counting from zero. */
const STABLE_AFTER = 10_000;
/** From the start of a handshake to a usable canvas. */
const CONNECT_TIMEOUT = 15_000;
/** On this machine "offline" says nothing about reachability, so look now and then. */
const LOOPBACK_PROBE = 5_000;

/** Close code -> what it means to a person, and the least delay before the next attempt. */
const CLOSINGS = new Map([
  [1000, { reason: "The server ended the session", floor: 0 }],
  [1001, { reason: "The server is restarting", floor: 0 }],
  [1006, { reason: "The server cannot be reached", floor: 0 }],
  [1008, { reason: "The server turned you away", floor: 15_000 }],
  [1011, { reason: "Something broke on the server", floor: 0 }],
  [1013, { reason: "The server is full", floor: 5_000 }],
]);

/**
 * How long to wait before an attempt: anything between the floor and an exponentially growing bound.
 * @param {number} attempt 0 for the first retry
 * @param {number} random in [0, 1)
 * @param {number} [floor] milliseconds
 * @returns {number} milliseconds
 */
export function backoff(attempt, random, floor = 0) {
  return floor + random * Math.min(MAX_DELAY, BASE_DELAY * 2 ** attempt);
}

export class Connection {
  /** @type {State} */
  state = { status: "connecting", retryAt: 0, reason: "", urgent: false };
  /** @type {(frame: ArrayBuffer) => void} */
  onframe = () => {};
  /** A new socket is open: nothing said on the one before reaches it. */
  onopen = () => {};
  /** @type {(state: State) => void} */
  onstate = () => {};

  #url;
  #subprotocol;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  /** The first attempt is over: from then on we are coming back. */
  #tried = false;
  #timer = 0;
  #stableTimer = 0;
  /** The server asked for this much patience, in milliseconds. */
  #floor = 0;

  /**
   * @param {() => string} url asked for at each attempt
   * @param {string} subprotocol
   */
  constructor(url, subprotocol) {
    this.#url = url;
    this.#subprotocol = subprotocol;
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#pause());
    // A sleeping laptop or a page restored from the back/forward cache should not wait for the timer.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.state.status === "reconnecting" && this.#floor === 0) this.retry();
    });
    addEventListener("pagehide", () => this.#discard());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
  }

  /** Bytes handed to the browser and not yet on the wire. */
  get backlog() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get live() {
    return this.state.status === "live";
  }

  start() {
    this.#connect();
  }

  /** Connect now, whatever the timer says. */
  retry() {
    this.#connect();
  }

  /** The peer has shown that it serves us: the handshake alone does not. */
  confirm() {
    if (this.live) return;
    clearTimeout(this.#timer);
    clearTimeout(this.#stableTimer);
    this.#stableTimer = setTimeout(() => (this.#attempt = 0), STABLE_AFTER);
    this.#become("live");
  }

  /**
   * @param {Uint8Array} frame
   * @returns {boolean} whether it was handed to the socket
   */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  #connect() {
    this.#discard();
    this.#become(this.#tried ? "reconnecting" : "connecting", this.state.reason);
    const socket = new WebSocket(this.#url(), this.#subprotocol);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(1006, ""), CONNECT_TIMEOUT);
    socket.onopen = () => this.onopen();
    socket.onmessage = (event) => this.onframe(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
  }

  #lost(code, words) {
    this.#discard();
    this.#tried = true;
    const { reason, floor } = CLOSINGS.get(code) ?? { reason: `Connection closed (${code})`, floor: 0 };
    const said = words && code === 1008 ? `${reason}: ${words}` : reason;
    if (code === 1000) return this.#become("closed", said, 0, true);
    if (!navigator.onLine && !this.#onLoopback) return this.#pause();
    this.#floor = floor;
    const delay = backoff(this.#attempt++, Math.random(), floor);
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#become("reconnecting", said, performance.now() + delay, floor > 0);
  }

  #pause() {
    this.#discard();
    if (this.#onLoopback) this.#timer = setTimeout(() => this.#connect(), LOOPBACK_PROBE);
    this.#become("offline", "This device is offline");
  }

  #discard() {
    clearTimeout(this.#timer);
    clearTimeout(this.#stableTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #become(status, reason = "", retryAt = 0, urgent = false) {
    this.state = { status, reason, retryAt, urgent };
    this.onstate(this.state);
  }

  get #onLoopback() {
    return /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
  }
}
