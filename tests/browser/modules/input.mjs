/**
 * A window and a board that take events as a browser sends them, and write down what the page makes of them.
 */

/** The window. */
export const page = new EventTarget();
export const board = Object.assign(new EventTarget(), {
  setPointerCapture() {},
  classList: { add() {}, remove() {} },
  closest: () => null,
});

class Field {}

/** What waits for `setTimeout`, by its number. @type {Map<number, () => void>} */
const timers = new Map();

Object.assign(globalThis, {
  addEventListener: page.addEventListener.bind(page),
  document: { body: {}, querySelector: () => null },
  HTMLInputElement: Field,
  HTMLTextAreaElement: Field,
  setTimeout: (call) => timers.set(timers.size + 1, call).size,
  clearTimeout: (id) => timers.delete(id),
});

/** Let all timers run out. */
export function runTimers() {
  const due = [...timers.values()];
  timers.clear();
  for (const call of due) call();
}

/**
 * Send an event to the board, and from there to the window.
 * @returns {boolean} whether the page has kept the browser from acting on it
 */
export function send(type, fields, target = board) {
  let isPrevented = false;
  const event = { type, target, preventDefault: () => (isPrevented = true), ...fields };
  for (const each of [target, page]) dispatch(each, type, event);
  return isPrevented;
}

function dispatch(target, type, event) {
  const carrier = new Event(type);
  Object.defineProperties(carrier, Object.fromEntries(Object.entries(event).map(([key, value]) => [key, { value }])));
  target.dispatchEvent(carrier);
}

/**
 * Functions that write down their calls.
 * @param {string[]} names
 * @param {Record<string, Function>} [answers] what some of them return
 */
export function recorder(names, answers = {}) {
  const calls = [];
  const record = (name) => (...given) => {
    calls.push([name, ...given]);
    return answers[name]?.(...given);
  };
  return { calls, ...Object.fromEntries(names.map((name) => [name, record(name)])) };
}
