/**
 * A WebSocket that comes back: exponential back-off with full jitter, paused while the device is offline.
 *
 * A network can forget a connection without a word to either end, and a page is not shown the protocol's pings. The
 * server therefore sends a message at least every 20 s, and silence is what a dead connection is known by.
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "offline" | "closed"} Status
 * @typedef {{status: Status, retryAt: number, reason: string, urgent: boolean}} State retryAt in performance.now()
 *   milliseconds, 0 while an attempt is being made; urgent: the reason is one that people should read
 * @typedef {{reason: string, floor: number, isFinal: boolean}} Closing floor: the least delay before the next attempt;
 *   isFinal: no attempt is made until the person asks for one
 */

const BASE_DELAY = 500;
const MAX_DELAY = 30_000;
/** A connection that lived this long was a good one: the next failure starts counting from zero. */
const STABLE_AFTER = 10_000;
/** On this machine "offline" says nothing about reachability, so look now and then. */
const LOOPBACK_PROBE = 5_000;
const WATCH_INTERVAL = 1_000;

/**
 * Silence that tells a dead connection. The state of the canvas is one message, and a browser says nothing of a message
 * that is still arriving: 12 MB, the most that a page asks for, take five minutes at 40 kB/s.
 */
const PATIENCE = { opening: 15_000, loading: 300_000, live: 45_000 };
/** Silence after which a device that wakes up, or a live page that is looked at again, does not wait for the rest. */
const SUSPICIOUS = 25_000;

const UNREACHABLE = "The server cannot be reached";
const TURNED_AWAY = "The server turned you away";

/** Close code -> what it means to a person; 4000 and above: the HTTP status of a handshake that was refused. */
const CLOSINGS = new Map([
  [1000, { reason: "The server ended the session", floor: 0, isFinal: true }],
  [1001, { reason: "The server is restarting", floor: 0, isFinal: false }],
  [1006, { reason: UNREACHABLE, floor: 0, isFinal: false }],
  [1008, { reason: TURNED_AWAY, floor: 15_000, isFinal: false }],
  [1011, { reason: "Something broke on the server", floor: 0, isFinal: false }],
  [1013, { reason: "The server is full", floor: 5_000, isFinal: false }],
  [4403, { reason: "You are banned", floor: 0, isFinal: true }],
  [4429, { reason: "Too many connections from your address", floor: 5_000, isFinal: false }],
  [4503, { reason: "The server is full", floor: 5_000, isFinal: false }],
]);
/** Codes whose words are for people, and say more than ours. */
const SPEAKING = new Set([4403, 4429, 4503]);

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

/**
 * What a close code and the server's words mean.
 * @param {number} code
 * @param {string} words
 * @returns {Closing}
 */
export function closing(code, words) {
  const isRefusal = code >= 4400 && code < 4600;
  const other = isRefusal
    ? { reason: TURNED_AWAY, floor: 15_000, isFinal: false }
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
  /** A new socket is open: nothing said on the one before reaches it. */
  onopen = () => {};
  /** @type {(state: State) => void} */
  onstate = () => {};

  /** Counts the sockets that are gone: what one of them said is not to be used any more. */
  generation = 0;

  #url;
  #subprotocol;
  /** @type {WebSocket | null} */
  #socket = null;
  /** How far the socket has come. @type {keyof typeof PATIENCE} */
  #phase = "opening";
  /** When the socket was last heard of, in `Date.now()` milliseconds: that clock goes on while the device sleeps. */
  #heardAt = 0;
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
    addEventListener("online", () => this.#wake());
    addEventListener("offline", () => this.state.status !== "closed" && this.#pause());
    // A sleeping laptop or a page restored from the back/forward cache should not wait for the timer.
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

  /** Connect now, whatever the timer says. */
  retry() {
    this.#connect();
  }

  /** Whether a state of the canvas is on its way, behind which all other answers wait. */
  get loading() {
    return this.#phase === "loading";
  }

  /** The server has spoken to us, and a state of the canvas is on its way. */
  expect() {
    this.#phase = "loading";
  }

  /** The page is where the server is: the handshake alone does not say so. */
  confirm() {
    this.#phase = "live";
    if (this.live) return;
    clearTimeout(this.#stableTimer);
    this.#stableTimer = setTimeout(() => (this.#attempt = 0), STABLE_AFTER);
    this.#become("live");
  }

  /** The socket is of no use, though nobody closed it: open another one. */
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

  /** Give up a socket that has been silent for too long. A clock that was set back tells nothing, so it counts, too. */
  #watch(patience) {
    if (!this.#socket || Math.abs(Date.now() - this.#heardAt) < patience) return;
    if (this.#phase === "opening") this.#lost(closing(1006, ""));
    else this.lose();
  }

  /** The device or the page is back: do not wait for a timer to find out what has become of the connection. */
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
