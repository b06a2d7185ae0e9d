/**
 * A WebSocket that reconnects: exponential back-off with full jitter, paused while the device is offline.
 *
 * A network can drop a connection without telling either end, and a page does not see the protocol's pings. The server
 * therefore sends a message at least every 20 s, and the page treats silence as a dead connection.
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "closed"} Status
 * @typedef {{status: Status, retryAt: number, reason: string, urgent: boolean}} State retryAt: in performance.now()
 *   milliseconds, 0 during an attempt; urgent: the user should read the reason
 * @typedef {{reason: string, floor: number, isFinal: boolean}} Closing floor: minimum delay before the next attempt, in
 *   milliseconds; isFinal: do not reconnect until the user asks for it
 */

const BASE_DELAY = 500;
const MAX_DELAY = 30_000;
/** Milliseconds after which a connection counts as stable and resets the back-off. */
const STABLE_AFTER = 10_000;
/** Milliseconds between attempts while offline, if the server runs on this machine: it may still be reachable. */
const LOOPBACK_PROBE = 5_000;
const WATCH_INTERVAL = 1_000;

/**
 * Milliseconds of silence after which a connection counts as dead, by phase. A snapshot is one message, and a browser
 * does not report a message until all of it has arrived: 12 MB, the most a page subscribes to, take five minutes at 40
 * kB/s.
 */
const PATIENCE = { opening: 15_000, loading: 300_000, live: 45_000 };
/** The same for a live connection when the device wakes up or the page becomes visible again. */
const SUSPICIOUS = 25_000;

const UNREACHABLE = "The server cannot be reached";
const REFUSED = "The server refused the connection";

/** Close code -> its meaning for the user. Codes from 4000 are 4000 + the HTTP status of a refused handshake. */
const CLOSINGS = new Map([
  [1000, { reason: "The server ended the session", floor: 0, isFinal: true }],
  [1001, { reason: "The server is restarting", floor: 0, isFinal: false }],
  [1006, { reason: UNREACHABLE, floor: 0, isFinal: false }],
  [1008, { reason: REFUSED, floor: 15_000, isFinal: false }],
  [1011, { reason: "Something went wrong on the server", floor: 0, isFinal: false }],
  [1013, { reason: "The server is full", floor: 5_000, isFinal: false }],
  [4403, { reason: "You are banned", floor: 0, isFinal: true }],
  [4429, { reason: "Too many connections from your address", floor: 5_000, isFinal: false }],
  [4503, { reason: "The server is full", floor: 5_000, isFinal: false }],
]);
/** Codes whose close reason is written for users and says more than ours. */
const SPEAKING = new Set([4403, 4429, 4503]);

/**
 * The delay before an attempt: random, between the floor and an exponentially growing bound above it.
 * @param {number} attempt 0 for the first retry
 * @param {number} random in [0, 1)
 * @param {number} [floor] milliseconds
 * @returns {number} milliseconds
 */
export function backoff(attempt, random, floor = 0) {
  return floor + random * Math.min(MAX_DELAY, BASE_DELAY * 2 ** attempt);
}

/**
 * The meaning of a close code and the server's reason.
 * @param {number} code
 * @param {string} words
 * @returns {Closing}
 */
export function closing(code, words) {
  const isRefusal = code >= 4400 && code < 4600;
  const other = isRefusal
    ? { reason: REFUSED, floor: 15_000, isFinal: false }
    : { reason: `Connection closed (${code})`, floor: 0, isFinal: false };
  const known = CLOSINGS.get(code) ?? other;
  if (!words) return known;
  if (SPEAKING.has(code)) return { ...known, reason: words[0].toUpperCase() + words.slice(1) };
  return code === 1008 || isRefusal ? { ...known, reason: `${known.reason}: ${words}` } : known;
}

export class Connection {
  /** @type {State} */
  state = { status: "connecting", retryAt: 0, reason: "", urgent: false };
  /** @type {(frame: ArrayBuffer) => void} */
  onframe = () => {};
  /** Called when a new socket is open. No frame of an earlier socket is delivered after this. */
  onopen = () => {};
  /** @type {(state: State) => void} */
  onstate = () => {};

  /** Number of sockets discarded so far. Once it has changed, what an earlier socket sent must not be used. */
  generation = 0;

  #url;
  #subprotocol;
  /** @type {WebSocket | null} */
  #socket = null;
  /**
   * The phase of the socket: "opening" until the server's welcome, "loading" while a snapshot is expected, "live" while
   * the page is up to date. @type {keyof typeof PATIENCE}
   */
  #phase = "opening";
  /** When the socket last got a message, in `Date.now()` milliseconds: that clock runs on while the device sleeps. */
  #heardAt = 0;
  #attempt = 0;
  /** Whether an attempt has ended: later ones are reconnects. */
  #tried = false;
  #timer = 0;
  #stableTimer = 0;
  /** Minimum delay that the last close code asks for, in milliseconds. */
  #floor = 0;

  /**
   * @param {() => string} url called for each attempt
   * @param {string} subprotocol
   */
  constructor(url, subprotocol) {
    this.#url = url;
    this.#subprotocol = subprotocol;
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.state.status !== "closed" && this.#pause());
    // After sleep, or back from the back/forward cache, do not wait for the timer.
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
    addEventListener("pagehide", () => this.#discard());
    addEventListener("pageshow", (event) => event.persisted && this.state.status !== "closed" && this.#connect());
    setInterval(() => this.#watch(PATIENCE[this.#phase]), WATCH_INTERVAL);
  }

  get live() {
    return this.state.status === "live";
  }

  start() {
    this.#connect();
  }

  /** Connect now, without waiting for the timer. */
  retry() {
    this.#connect();
  }

  /** Whether a snapshot is expected; all other answers wait behind it. */
  get loading() {
    return this.#phase === "loading";
  }

  /** Expect a snapshot: the server has welcomed us, or we have subscribed to another area. */
  expect() {
    this.#phase = "loading";
  }

  /** The page is up to date with the server. The handshake alone does not make it so. */
  confirm() {
    this.#phase = "live";
    if (this.live) return;
    clearTimeout(this.#stableTimer);
    this.#stableTimer = setTimeout(() => (this.#attempt = 0), STABLE_AFTER);
    this.#become("live");
  }

  /** Give up a socket that is open but useless, and open another one. */
  lose() {
    this.#lost({ reason: "The connection was lost", floor: 0, isFinal: false });
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} frame
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
    this.#phase = "opening";
    this.#heardAt = Date.now();
    socket.onopen = () => this.onopen();
    socket.onmessage = (event) => {
      this.#heardAt = Date.now();
      this.onframe(event.data);
    };
    socket.onclose = (event) => this.#lost(closing(event.code, event.reason));
  }

  /** Give up a socket that has been silent for too long, or if the clock was set back, which hides how long. */
  #watch(patience) {
    if (!this.#socket || Math.abs(Date.now() - this.#heardAt) < patience) return;
    if (this.#phase === "opening") this.#lost(closing(1006, ""));
    else this.lose();
  }

  /** The device or the page is back: check the connection, or reconnect, without waiting for a timer. */
  #wake() {
    const { status } = this.state;
    if (status === "closed") return;
    if (this.#socket) this.#watch(this.#phase === "live" ? SUSPICIOUS : PATIENCE[this.#phase]);
    else if (status !== "reconnecting" || this.#floor === 0) this.#connect();
  }

  /** @param {Closing} closing */
  #lost({ reason, floor, isFinal }) {
    this.#discard();
    this.#tried = true;
    if (isFinal) return this.#become("closed", reason, 0, true);
    if (!navigator.onLine && !this.#onLoopback) return this.#pause();
    this.#floor = floor;
    const delay = backoff(this.#attempt++, Math.random(), floor);
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#become("reconnecting", reason, performance.now() + delay, floor > 0);
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
    this.generation += 1;
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
