/**
 * Wires the parts of the page together; each part has its own module.
 */
import { Author } from "./ui/author.js";
import { Camera } from "./view/camera.js";
import { hex, pack } from "./paint/color.js";
import { Connection } from "./net/connection.js";
import { Cooldown, format } from "./paint/cooldown.js";
import { Cursors } from "./view/cursors.js";
import { Keyboard } from "./ui/keyboard.js";
import { Lookout } from "./net/lookout.js";
import { Outbox } from "./net/outbox.js";
import { Palette } from "./paint/palette.js";
import { Pending } from "./net/pending.js";
import { People } from "./ui/people.js";
import { Picture } from "./view/picture.js";
import { Pointer } from "./view/pointer.js";
import { SUBPROTOCOL } from "./net/protocol.js";
import { Readout } from "./ui/readout.js";
import { Renderer } from "./view/renderer.js";
import { Rules } from "./paint/rules.js";
import { Session } from "./net/session.js";
import { StatusBadge } from "./ui/status.js";
import { Still } from "./view/still.js";
import { Strokes } from "./paint/stroke.js";
import { Toasts } from "./shared/toast.js";
import { Toolbox } from "./paint/toolbox.js";

/** Reason why a pixel may not be painted, by the server's code or our own -> text for the user. */
const REFUSALS = {
  read_only: "This canvas is read-only",
  color_not_allowed: "That colour is not in the palette of this canvas",
  area_locked: "This part of the canvas is locked",
  cooldown: "You cannot paint another pixel yet",
  store_unavailable: "The server cannot save pixels right now",
  too_many_waiting: "Too many pixels are waiting to be sent",
  closed: "The server has ended the connection",
  lost: "The server lost them several times",
  replaced: "The canvas was replaced by one of another size",
};
const TITLE = document.title;
/** Milliseconds after which a subscription that was refused as too frequent is retried. */
const LATER = 1000;

/** Cells smaller than this, in CSS pixels, are too small to aim at: a press moves the view, and a tap zooms in. */
const AIMABLE = { touch: 3, pen: 1, mouse: 1 };

/** CSS pixels that the zoom buttons need beside the dock; with less, they move above the dock. */
const CORNER = 215;

const pixels = (count) => (count === 1 ? "1 pixel was" : `${count.toLocaleString()} pixels were`);
const lowerFirst = (text) => text[0].toLowerCase() + text.slice(1);
/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const board = /** @type {HTMLCanvasElement} */ (element("board"));
const dock = element("dock");
const help = /** @type {HTMLDialogElement} */ (element("help"));

const socketUrl = new URL("ws", document.baseURI);
socketUrl.protocol = location.protocol === "https:" ? "wss:" : "ws:";

const connection = new Connection(() => Object.assign(socketUrl, { search: session.query }).href, SUBPROTOCOL);
const picture = new Picture();
const pending = new Pending();
const camera = new Camera();
const cursors = new Cursors();
const people = new People(element("people-button"), element("people"));
const outbox = new Outbox(connection, pending, (...dropped) => session.revert(...dropped));
const rules = new Rules();
const cooldown = new Cooldown(dock, element("wait"));
const session = new Session({ connection, picture, pending, outbox, people, cursors, rules, cooldown });
const strokes = new Strokes(
  picture,
  (x, y, color) => session.paint(x, y, color),
  () => cooldown.left > 0,
);
const lookout = new Lookout(camera, picture, session);
const renderer = new Renderer(board, /** @type {HTMLCanvasElement} */ (element("overlay")), { picture, camera, cursors });
const palette = new Palette(element("palette"));
const toolbox = new Toolbox(element("tools"));
const toasts = new Toasts(element("toasts"));
const readout = new Readout();
const author = new Author(picture, (userId) => (userId === session.userId ? "you" : people.label(userId)));
const still = new Still(/** @type {HTMLImageElement} */ (element("still")));
const badge = new StatusBadge(element("status"), pending, () => connection.retry());

/** The cell under the pointer, or the keyboard's. @type {{x: number, y: number, keyboard: boolean} | null} */
let target = null;
/** The space bar turns the pointer into a hand. */
let grabbing = false;

// The server

connection.onstate = (state) => {
  badge.show(state);
  if (state.status === "live") {
    lookout.check();
    still.hide();
  }
  if (state.status === "closed") {
    toasts.pin("closed", state.reason);
    if (!picture.ready) still.show();
  } else toasts.dismiss("closed");
  lockTools();
  if (state.status === "reconnecting" && state.urgent) toasts.say(state.reason, "warning");
};
/** Hide the tools on a read-only canvas, and after the server has ended the connection for good. */
function lockTools() {
  const locked = rules.readOnly || connection.state.status === "closed";
  toolbox.lock(locked);
  if (dock.classList.contains("closed") === locked) return;
  dock.classList.toggle("closed", locked);
  layOut();
}

session.onchange = () => renderer.redrawPicture();
lookout.onoverview = () => renderer.redraw();
renderer.onpicture = () => tell();
picture.onlost = () => renderer.redrawPicture();
author.onanswer = () => tell(target?.keyboard);
session.onload = (resized) => {
  if (resized) {
    strokes.clear();
    camera.open(picture);
  }
  renderer.redraw();
  board.classList.add("ready");
};
session.onerror = ({ code, message }) => {
  if (code === "rate_limited") setTimeout(() => lookout.look(), LATER);
  else toasts.say(message, "warning");
};
session.ondropped = (count, code, message) => {
  if (code === "cooldown") cooldown.nudge();
  const why = REFUSALS[code] ?? (message || code);
  toasts.tally(code, count, (all) => `${pixels(all)} not painted: ${lowerFirst(why)}`);
};
session.onrules = (background) => {
  lockTools();
  toolbox.offerErase(rules.allows(background));
  palette.offer(rules.palette);
  renderer.locked = rules.locked;
  renderer.redraw();
  layOut();
};
session.onrefusal = (why) => {
  if (why === "cooldown") cooldown.nudge();
  else toasts.say(REFUSALS[why]);
};
/** Undo and redo paint pixels like any other: each waits for the cooldown and starts it again. */
cooldown.onchange = () => {
  for (const [id, name, keys] of [["undo", "Undo", "Ctrl Z"], ["redo", "Redo", "Ctrl Shift Z"]]) {
    const wait = format(cooldown.left) + (cooldown.left < 60_000 ? " s" : "");
    const words = cooldown.left > 0 ? `${name}: wait ${wait}` : cooldown.applies ? `${name}: counts as a pixel` : name;
    element(id).ariaLabel = words;
    element(id).ariaDisabled = String(cooldown.left > 0);
    element(id).dataset.tip = `${words}  ${keys}`;
  }
};
cooldown.onover = (wasLong) => {
  element("current-color").classList.add("ready");
  if (!wasLong) return;
  toasts.say("You can paint again");
  if (document.hidden) document.title = `You can paint again · ${TITLE}`;
};
element("current-color").addEventListener("animationend", () => element("current-color").classList.remove("ready"));
cursors.onchange = () => renderer.redrawOverlay();
people.onchoose = (userId) => {
  const cursor = cursors.find(userId);
  if (cursor) camera.goTo(cursor);
  else toasts.say("This user has not moved their cursor yet");
};

// The view

camera.onchange = () => {
  renderer.redraw();
  lookout.look();
  board.classList.toggle("far", camera.view.zoom < AIMABLE.mouse);
  element("zoom-level").textContent = `${Math.round(camera.view.zoom * 100)}%`;
};

function layOut() {
  const narrow = dock.offsetWidth > innerWidth * 0.8;
  const margin = narrow ? 12 : 28;
  const insets = {
    top: element("header").offsetHeight + (narrow ? 8 : 16),
    right: margin,
    bottom: innerHeight - dock.offsetTop + (narrow && innerWidth < innerHeight ? 68 : 16), // there the zoom buttons are
    left: margin,
  };
  document.documentElement.classList.toggle("crowded", dock.offsetWidth > innerWidth - 2 * CORNER);
  document.documentElement.style.setProperty("--dock-top", `${innerHeight - dock.offsetTop}px`);
  const { clientWidth: width, clientHeight: height } = board;
  camera.resize({ width, height }, insets);
}

/**
 * The board's size in CSS or device pixels has changed: the window, the browser's zoom or the monitor.
 * @param {Partial<ResizeObserverEntry>[]} entries
 */
function resize([{ devicePixelContentBoxSize: exact }]) {
  layOut();
  const ratio = devicePixelRatio || 1;
  // Only the browser knows how it rounded; Safari does not report it, and an emulated screen reports CSS pixels.
  const whole = (side, told) => (Math.abs(side * ratio - told) < 1 ? told : Math.round(side * ratio));
  const width = whole(board.clientWidth, exact?.[0].inlineSize);
  const height = whole(board.clientHeight, exact?.[0].blockSize);
  renderer.resize({ width, height }, ratio);
}

function watchSize() {
  const observer = new ResizeObserver(resize);
  try {
    observer.observe(board, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(board); // Safari
  }
}

// Drawing

function pointAt(cell, keyboard = false) {
  target = cell && { ...cell, keyboard };
  renderer.target = toolbox.tool === "hand" && !keyboard ? null : target;
  renderer.redrawOverlay();
  tell(keyboard);
  if (cell && picture.contains(cell.x, cell.y)) outbox.pointAt(cell.x, cell.y);
}

/** Show the cell in focus; read it out if `aloud`. */
function tell(aloud = false) {
  author.look(target);
  readout.show(target, picture, author.text, aloud);
}

function inkFor(mode) {
  return mode === "erase" ? picture.background : palette.color;
}

function pick(cell) {
  if (!picture.ready || !picture.contains(cell.x, cell.y)) return;
  const color = picture.at(cell.x, cell.y);
  if (rules.allows(color)) palette.choose(color);
  else toasts.say(REFUSALS.color_not_allowed);
}

/** Whether cells are too small to aim at. */
function isFar(event) {
  return camera.view.zoom < AIMABLE[event.pointerType];
}

function modeOf(event) {
  if (grabbing || toolbox.tool === "hand") return "pan";
  if (event.altKey || toolbox.tool === "pick") return "pick";
  if (!isFar(event)) return toolbox.tool;
  hintAtZoom(event);
  return "pan";
}

/** Explain, once, why a press did not draw. */
let hinted = false;
function hintAtZoom(event) {
  if (hinted) return;
  hinted = true;
  toasts.say(event.pointerType === "touch" ? "Tap to zoom in and paint" : "Click to zoom in and paint");
}

function tap(at, event) {
  if (toolbox.tool !== "hand" && !grabbing && event.button === 0 && !event.ctrlKey && isFar(event)) camera.approach(at);
  else pointAt(camera.cellAt(at));
}

const pointer = new Pointer(board, {
  mode: modeOf,
  begin(at, mode, straight) {
    const cell = camera.cellAt(at);
    pointAt(cell);
    if (mode === "pick") pick(cell);
    else strokes.begin(cell, inkFor(mode), straight);
    const { x, y } = cell;
    if (picture.contains(x, y) && !picture.knows(y * picture.width + x)) toasts.say("Zoom in to paint here");
  },
  move(from, points, mode) {
    if (mode === "pick") return pick(camera.cellAt(points[points.length - 1]));
    strokes.jump(camera.cellAt(from)); // the view may have moved meanwhile
    for (const point of points) strokes.to(camera.cellAt(point));
  },
  end(mode) {
    strokes.end();
    if (mode === "pick" && toolbox.tool === "pick") toolbox.putBack();
  },
  cancel: () => strokes.cancel(),
  hover: (at) => pointAt(at && camera.cellAt(at)),
  tap,
  pan: (dx, dy) => camera.pan(dx, dy),
  zoom: (factor, at) => camera.zoomBy(factor, at),
});

// The keyboard

function keyboardCell() {
  if (target && picture.contains(target.x, target.y)) return { x: target.x, y: target.y };
  const within = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));
  return { x: within(camera.view.x, picture.width), y: within(camera.view.y, picture.height) };
}

function moveCell(dx, dy) {
  if (!picture.ready) return;
  const from = keyboardCell();
  const cell = target?.keyboard ? { x: from.x + dx, y: from.y + dy } : from; // the first press only shows the cell
  if (!picture.contains(cell.x, cell.y)) return;
  camera.reveal(cell);
  if (strokes.active) strokes.to(cell);
  pointAt(cell, true);
}

function penDown() {
  if (!picture.ready) return;
  const cell = keyboardCell();
  pointAt(cell, true);
  if (toolbox.tool === "pick") {
    pick(cell);
    toolbox.putBack();
  } else strokes.begin(cell, inkFor(toolbox.tool));
}

function undo() {
  if (cooldown.left > 0) return cooldown.nudge();
  if (!strokes.undo()) toasts.say("Nothing to undo");
}

function redo() {
  if (cooldown.left > 0) return cooldown.nudge();
  if (!strokes.redo()) toasts.say("Nothing to redo");
}

function toggleGrid() {
  renderer.grid = !renderer.grid;
  renderer.redraw();
  toasts.say(renderer.grid ? "Grid on" : "Grid off");
}

async function share() {
  const words = camera.fitted ? "Link copied" : "Link to this view copied";
  try {
    await navigator.clipboard.writeText(camera.link());
    toasts.say(words);
  } catch {
    toasts.say("Copy the link from the address bar: it opens this view");
  }
}

const digits = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n, () => palette.chooseNth(n)]));

new Keyboard(board, {
  pan: (dx, dy) => camera.pan(dx, dy),
  zoom: (direction) => camera.zoomStep(direction),
  fit: () => camera.fit(),
  moveCell,
  hasCell: () => Boolean(target?.keyboard),
  penDown,
  penUp: () => strokes.end(),
  grab(held) {
    grabbing = held;
    board.classList.toggle("grab", held);
  },
  escape: () => people.close() || (target?.keyboard && pointAt(null)),
  undo,
  redo,
  shortcuts: {
    ...digits,
    b: () => toolbox.take("draw"),
    e: () => rules.allows(picture.background) && toolbox.take("erase"),
    i: () => toolbox.take("pick"),
    h: () => toolbox.take("hand"),
    x: () => palette.swap(),
    c: () => palette.openCustom(),
    "[": () => palette.step(-1),
    "]": () => palette.step(1),
    g: toggleGrid,
    l: share,
    p: () => people.toggle(),
    "?": () => help.showModal(),
  },
});

// Buttons

palette.onchoose = () => toolbox.readyToDraw();
toolbox.onchange = () => (board.dataset.inHand = toolbox.tool);
toolbox.onchange();
element("undo").addEventListener("click", undo);
element("redo").addEventListener("click", redo);
// A tool chosen by touch means that fingers draw again, even if a pen was used before.
element("tools").addEventListener("click", (event) => /** @type {PointerEvent} */ (event).pointerType === "touch" && pointer.trustFingers());
element("zoom-in").addEventListener("click", () => camera.zoomStep(1));
element("zoom-out").addEventListener("click", () => camera.zoomStep(-1));
element("zoom-fit").addEventListener("click", () => camera.fit());
element("share").addEventListener("click", share);
element("help-button").addEventListener("click", () => help.showModal());
help.addEventListener("click", (event) => event.target === help && help.close());

// A click on a tool must not leave the focus there: the space bar would press the tool again.
for (const panel of [dock, /** @type {HTMLElement} */ (document.querySelector(".zoom"))]) {
  panel.addEventListener("click", (event) => event.detail > 0 && board.focus({ preventScroll: true }));
}

// The window

document.addEventListener("visibilitychange", () => document.hidden || (document.title = TITLE));
addEventListener("beforeunload", (event) => pending.size > 0 && event.preventDefault());
addEventListener("resize", layOut);
watchSize();
renderer.onratio = () => resize([{}]);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  picture.refresh(); // the browser may have dropped bitmaps meanwhile
  renderer.redraw();
});
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
  matchMedia(query).addEventListener("change", () => renderer.restyle());
}
layOut();
renderer.restyle();
tell();
if ("DecompressionStream" in window) {
  element("unsupported").remove();
  connection.start();
} else element("unsupported").classList.remove("late");

/**
 * The page's interface for tests, read-only except for `paint`, which does what a pen does.
 * `pixel` is the colour shown, confirmed or pending; `pending` counts own pixels that are not acknowledged; `users` are
 * the ids that this page knows (`userCount` counts all).
 */
/** @type {any} */ (window).canopy = Object.freeze({
  pixel: (x, y) => (picture.ready && picture.contains(x, y) ? hex(picture.at(x, y)) : null),
  paint: (x, y, color) => session.paint(x, y, pack(color.toUpperCase())),
  get status() {
    return connection.state.status;
  },
  get userId() {
    return session.userId;
  },
  get seq() {
    return session.seq;
  },
  get users() {
    return people.ids;
  },
  get userCount() {
    return people.count;
  },
  get pending() {
    return pending.size;
  },
});
