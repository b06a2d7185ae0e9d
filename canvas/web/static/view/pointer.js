/**
 * Translates mouse, pen and touch input on the board into intents.
 *
 * One finger, the pen or the left button uses the tool. Two fingers, the middle or right button, or a drag with the
 * space bar move the view. A finger's stroke starts with a delay, so that the first finger of a pinch leaves no mark.
 * Once a pen has been used, fingers only move the view: the palm that rests beside the pen must not draw.
 *
 * @typedef {{x: number, y: number}} Point CSS pixels within the board
 * @typedef {"draw" | "erase" | "pick" | "pan"} Mode
 * @typedef {object} Intents
 * @property {(event: PointerEvent) => Mode} mode what a press does now
 * @property {(at: Point, mode: Mode, straight: boolean) => void} begin
 * @property {(from: Point, points: Point[], mode: Mode) => void} move
 * @property {(mode: Mode) => void} end
 * @property {() => void} cancel the stroke was a mistake
 * @property {(at: Point | null) => void} hover
 * @property {(at: Point, event: PointerEvent) => void} tap a press in mode "pan" that did not move the view
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, at: Point) => void} zoom
 *
 * @typedef {{id: number, type: string, mode: Mode, start: Point, last: Point, since: number, still: boolean}} Press
 */

const TOUCH_HOLD = 110;
const TOUCH_SLOP = 7;
/** Milliseconds within which a second finger means that the first was not drawing. */
const MISTAKE = 250;
const WHEEL_SPEED = 0.0018;
const PINCH_SPEED = 0.011;
/** A touchpad pinch arrives as a wheel event with ctrlKey, in smaller steps than a wheel notch with Ctrl held. */
const PINCH_STEP = 50;
/** CSS pixels per step, by `deltaMode`: a pixel, a line, a page (a wheel notch). */
const UNITS = [1, 18, 120];

export class Pointer {
  #board;
  #intents;
  /** Fingers on the board. @type {Map<number, Point>} */
  #fingers = new Map();
  /** What the pressed pointer is doing. @type {Press | null} */
  #press = null;
  /** A finger's stroke that is still delayed. @type {{points: Point[], mode: Mode, timer: number} | null} */
  #held = null;
  #pinching = false;
  #penSeen = false;

  /**
   * @param {HTMLElement} board
   * @param {Intents} intents
   */
  constructor(board, intents) {
    this.#board = board;
    this.#intents = intents;
    board.addEventListener("pointerdown", (event) => this.#down(event));
    board.addEventListener("pointermove", (event) => this.#move(event));
    board.addEventListener("pointerup", (event) => this.#up(event));
    board.addEventListener("pointercancel", (event) => this.#up(event));
    board.addEventListener("pointerleave", (event) => this.#leave(event));
    board.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    board.addEventListener("contextmenu", (event) => event.preventDefault());
    // Safari zooms the page through its own gesture events, regardless of touch-action.
    for (const name of ["gesturestart", "gesturechange"]) addEventListener(name, (event) => event.preventDefault());
    // A touchpad pinch over a panel would zoom the page, and a pinch over the board could not undo that.
    addEventListener("wheel", (event) => event.ctrlKey && event.preventDefault(), { passive: false });
    addEventListener("pointerdown", (event) => this.#downElsewhere(event));
  }

  /** Let fingers draw again, until the pen is used again. */
  trustFingers() {
    this.#penSeen = false;
  }

  #down(event) {
    if (event.pointerType === "mouse" && event.button === 1) event.preventDefault(); // no autoscroll
    const at = this.#at(event);
    if (event.pointerType === "pen") this.#penDown(event);
    if (event.pointerType === "touch") {
      if (this.#press?.type === "pen") return; // the palm
      this.#fingers.set(event.pointerId, at);
      if (this.#fingers.size > 1) return this.#pinch(event);
    }
    if (this.#press || this.#pinching) return;
    this.#board.setPointerCapture(event.pointerId);
    const { pointerId: id, pointerType: type, timeStamp: since } = event;
    const mode = this.#modeOf(event);
    this.#press = { id, type, mode, start: at, last: at, since, still: true };

    if (mode === "pan") this.#board.classList.add("panning");
    else if (type === "touch") this.#hold(at, mode);
    else this.#intents.begin(at, mode, event.shiftKey);
  }

  /** The pen takes precedence over fingers: those on the board now are the palm. */
  #penDown(event) {
    this.#penSeen = true;
    this.#fingers.clear();
    this.#pinching = false;
    if (this.#press?.type === "touch") this.#abandon(event, Infinity);
  }

  /** A second finger on a panel: as with a pinch, the first was not drawing. */
  #downElsewhere(event) {
    const isSecond = event.pointerType === "touch" && this.#press?.type === "touch" && this.#press.id !== event.pointerId;
    if (isSecond && event.target !== this.#board) this.#abandon(event, MISTAKE);
  }

  #move(event) {
    const at = this.#at(event);
    if (event.pointerType === "pen") this.#penSeen = true;
    if (this.#fingers.has(event.pointerId)) {
      if (this.#pinching) return this.#pinchTo(event.pointerId, at);
      this.#fingers.set(event.pointerId, at);
    }
    const press = this.#press;
    if (!press) {
      if (event.pointerType !== "touch") this.#intents.hover(at);
      return;
    }
    if (press.id !== event.pointerId) return;
    press.still &&= Math.hypot(at.x - press.start.x, at.y - press.start.y) <= TOUCH_SLOP;
    if (press.mode === "pan") this.#intents.pan(at.x - press.last.x, at.y - press.last.y);
    else this.#draw(event, at, press);
    press.last = at;
  }

  /** A finger leaves the board after each tap, which must not end the hover: `#up` decides that. */
  #leave(event) {
    if (!this.#press && event.pointerType !== "touch") this.#intents.hover(null);
  }

  #draw(event, at, press) {
    this.#intents.hover(at);
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const points = (coalesced.length ? coalesced : [event]).map((each) => this.#at(each));
    if (!this.#held) return this.#intents.move(press.last, points, press.mode);
    this.#held.points.push(...points);
    const start = this.#held.points[0];
    if (Math.hypot(at.x - start.x, at.y - start.y) > TOUCH_SLOP) this.#release();
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    if (this.#pinching && this.#fingers.size === 0) this.#pinching = false;
    if (this.#press?.id !== event.pointerId) return;
    if (event.type === "pointercancel" && this.#held) this.#forget();
    this.#release();
    const isPalm = event.pointerType === "touch" && this.#penSeen;
    const tapped = event.type === "pointerup" && this.#press?.mode === "pan" && this.#press.still && !isPalm;
    this.#finish();
    if (event.pointerType === "touch") this.#intents.hover(null);
    if (tapped) this.#intents.tap(this.#at(event), event);
  }

  #finish() {
    const { mode } = /** @type {Press} */ (this.#press);
    this.#press = null;
    this.#board.classList.remove("panning");
    if (mode !== "pan") this.#intents.end(mode);
  }

  #modeOf(event) {
    if (event.pointerType === "pen" && event.buttons & 32) return "erase"; // the pen's other end
    if (event.button !== 0 || event.ctrlKey) return "pan"; // Ctrl: a Mac's secondary click
    if (event.pointerType === "touch" && this.#penSeen) return "pan";
    return this.#intents.mode(event);
  }

  #hold(at, mode) {
    this.#held = { points: [at], mode, timer: setTimeout(() => this.#release(), TOUCH_HOLD) };
  }

  /** The delay is over: draw what the finger has done so far. */
  #release() {
    const held = this.#held;
    if (!held) return;
    this.#forget();
    const [start, ...points] = held.points;
    this.#intents.begin(start, held.mode, false);
    if (points.length) this.#intents.move(start, points, held.mode);
  }

  #forget() {
    clearTimeout(this.#held?.timer);
    this.#held = null;
  }

  #pinch(event) {
    if (this.#press) this.#abandon(event, MISTAKE);
    this.#intents.hover(null);
    this.#pinching = true;
  }

  /** End the press; cancel its stroke if it began less than `mistake` milliseconds ago. */
  #abandon(event, mistake) {
    if (this.#held) this.#forget();
    else if (this.#press && this.#press.mode !== "pan" && event.timeStamp - this.#press.since < mistake) this.#intents.cancel();
    this.#finish();
  }

  #pinchTo(id, at) {
    const before = this.#span();
    this.#fingers.set(id, at);
    const after = this.#span();
    if (!before || !after) return;
    this.#intents.pan(after.x - before.x, after.y - before.y);
    if (before.length > 0) this.#intents.zoom(after.length / before.length, after);
  }

  /** The middle of the first two fingers, and the distance between them. */
  #span() {
    const [a, b] = this.#fingers.values();
    if (!b) return null;
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  #wheel(event) {
    event.preventDefault();
    const unit = UNITS[event.deltaMode] ?? 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const at = this.#at(event);
    if (event.shiftKey) this.#intents.pan(-(dx || dy), 0);
    else if (Math.abs(dx) > Math.abs(dy)) this.#intents.pan(-dx, 0);
    else {
      const isPinch = event.ctrlKey && Math.abs(dy) < PINCH_STEP;
      this.#intents.zoom(Math.exp(-dy * (isPinch ? PINCH_SPEED : WHEEL_SPEED)), at);
    }
    this.#intents.hover(at);
  }

  #at(event) {
    return { x: event.clientX, y: event.clientY }; // the board fills the window
  }
}
