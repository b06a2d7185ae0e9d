/**
 * As much of a browser as the page's modules need, with a clock that stands still until a test moves it.
 */

const nodeSetImmediate = setImmediate;

/** Time, in milliseconds. */
export const clock = {
  now: 1_000_000,
  /** @type {Map<number, {at: number, every: number | null, call: () => void}>} */
  timers: new Map(),
  next: 1,

  /** Let time pass, and run what is due in it. */
  advance(ms) {
    const end = this.now + ms;
    for (let due; (due = this.due(end)); ) {
      const [id, timer] = due;
      this.now = Math.max(this.now, timer.at);
      if (timer.every === null) this.timers.delete(id);
      else timer.at = Math.max(timer.at + timer.every, this.now);
      timer.call();
    }
    this.now = end;
  },

  /** The device sleeps: time passes, and no timer runs. */
  sleep(ms) {
    this.now += ms;
  },

  due(end) {
    const all = [...this.timers].filter(([, { at }]) => at <= end);
    return all.sort(([a, one], [b, other]) => one.at - other.at || a - b)[0];
  },

  set(call, delay = 0, isRepeated = false) {
    const every = isRepeated ? Math.max(1, delay) : null;
    this.timers.set(this.next, { at: this.now + Math.max(0, delay), every, call });
    return this.next++;
  },

  reset() {
    this.timers.clear();
    for (const name of Object.keys(listeners)) delete listeners[name];
    sockets.length = 0;
    device.onLine = true;
    globalThis.document.hidden = false;
  },
};

/** All that were opened, the last one last. @type {Socket[]} */
export const sockets = [];
/** @type {Record<string, ((event: object) => void)[]>} */
const listeners = {};
export const device = { onLine: true };

/** Dispatch an event of the window or of the document. */
export function dispatch(name, event = {}) {
  for (const listener of listeners[name] ?? []) listener(event);
}

/** Let promises be kept that need no time: a snapshot that is inflated. */
export async function settled(condition) {
  while (!condition()) await new Promise((resolve) => nodeSetImmediate(resolve));
}

class Socket {
  static OPEN = 1;
  readyState = 0;
  /** @type {Uint8Array[]} */
  sent = [];
  bufferedAmount = 0;

  constructor(url) {
    this.url = new URL(url);
    sockets.push(this);
  }

  /** The handshake is over. */
  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  /** A message of the server arrives. */
  tell(frame) {
    this.onmessage?.({ data: frame });
  }

  /** The connection has ended. */
  end(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  send(frame) {
    this.sent.push(frame);
  }

  close() {
    this.readyState = 2;
  }

  get isClosed() {
    return this.readyState >= 2;
  }
}

const listen = (name, listener) => (listeners[name] ??= []).push(listener);
const element = () => ({
  textContent: "",
  hidden: false,
  classList: { add() {}, remove() {}, toggle() {} },
  getContext: () => ({ putImageData() {} }),
});

Object.assign(globalThis, {
  addEventListener: listen,
  location: { hostname: "canopy.example" },
  document: { hidden: false, addEventListener: listen, getElementById: element, createElement: element },
  ImageData: class {
    constructor(width, height) {
      this.data = new Uint8ClampedArray(4 * width * height);
    }
  },
  WebSocket: Socket,
  setTimeout: (call, delay) => clock.set(call, delay),
  setInterval: (call, delay) => clock.set(call, delay, true),
  clearTimeout: (id) => clock.timers.delete(id),
  clearInterval: (id) => clock.timers.delete(id),
});
Object.defineProperty(globalThis, "navigator", { value: device, configurable: true });
Date.now = () => clock.now;
performance.now = () => clock.now;
Math.random = () => 0.5;
