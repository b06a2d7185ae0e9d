/**
 * The connected users: their number, and a list of bounded length.
 */
import { userColor } from "../paint/color.js";

const MAX_ROWS = 100;
const FACES = 3;
/** How many users who have left keep their names, for "who painted this". */
const MAX_GONE = 1000;

export class People {
  count = 0;
  /** Called when a user in the list was chosen. @type {(userId: string) => void} */
  onchoose = () => {};

  #self = "";
  /** Ids of connected users that we know: the first few hundred, and all who joined later. @type {Set<string>} */
  #known = new Set();
  /** Display names, by id. @type {Map<string, string>} */
  #names = new Map();
  /** Names of users who have left, by id, the latest at the end. @type {Map<string, string>} */
  #gone = new Map();
  #frame = 0;
  #button;
  #panel;
  #list = /** @type {HTMLElement} */ (document.getElementById("people-list"));
  #faces = /** @type {HTMLElement} */ (document.getElementById("people-faces"));
  #number = /** @type {HTMLElement} */ (document.getElementById("people-number"));
  #note = /** @type {HTMLElement} */ (document.getElementById("people-note"));

  /**
   * @param {HTMLElement} button opens the panel
   * @param {HTMLElement} panel
   */
  constructor(button, panel) {
    this.#button = button;
    this.#panel = panel;
    button.addEventListener("click", () => this.toggle());
    document.getElementById("people-close")?.addEventListener("click", () => this.#close());
    panel.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    this.#list.addEventListener("click", (event) => {
      const row = /** @type {Element} */ (event.target).closest("button");
      if (row) this.onchoose(/** @type {string} */ (row.dataset.user));
    });
  }

  /** The ids that this page knows; `count` may be larger. */
  get ids() {
    return [...this.#known];
  }

  /**
   * Start over with the server's list.
   * @param {string} self
   * @param {string[]} users
   * @param {Record<string, string>} names
   * @param {number} count
   */
  replace(self, users, names, count) {
    this.#self = self;
    this.#names = new Map(Object.entries(names));
    this.#known = new Set(users).add(self);
    this.count = Math.max(count, this.#known.size);
    this.#refresh();
  }

  /**
   * The label of a user: the display name, or the start of the id.
   * @param {string} userId
   * @returns {string}
   */
  label(userId) {
    return this.#names.get(userId) ?? this.#gone.get(userId) ?? userId.slice(0, 6);
  }

  /**
   * A user has joined or changed their name.
   * @param {string} userId
   * @param {string} name
   */
  join(userId, name) {
    this.#gone.delete(userId);
    if (name) this.#names.set(userId, name);
    else this.#names.delete(userId);
    this.#refresh();
    if (this.#known.has(userId)) return;
    this.#known.add(userId);
    this.count += 1;
    this.#refresh();
  }

  /** @param {string} userId */
  leave(userId) {
    if (userId === this.#self) return;
    this.#known.delete(userId);
    this.#keepName(userId);
    this.count = Math.max(this.#known.size, this.count - 1);
    this.#refresh();
  }

  #keepName(userId) {
    const name = this.#names.get(userId);
    if (name === undefined) return;
    this.#names.delete(userId);
    this.#gone.delete(userId);
    this.#gone.set(userId, name);
    if (this.#gone.size > MAX_GONE) this.#gone.delete(/** @type {string} */ (this.#gone.keys().next().value));
  }

  /**
   * Set the number of users, some of whom the server does not list.
   * @param {number} count
   */
  recount(count) {
    this.count = count;
    this.#refresh();
  }

  toggle() {
    if (!this.#panel.hidden) return this.#close();
    this.#panel.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#render();
    document.getElementById("people-close")?.focus();
  }

  /** @returns {boolean} whether there was something to close */
  close() {
    const open = !this.#panel.hidden;
    if (open) this.#close();
    return open;
  }

  #close() {
    this.#panel.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
    this.#button.focus();
  }

  /** Render at most once per frame. */
  #refresh() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#render());
  }

  #render() {
    this.#frame = 0;
    const others = [...this.#known].filter((id) => id !== this.#self);
    const here = this.#self ? [this.#self, ...others] : others;
    this.#number.textContent = this.count.toLocaleString();
    this.#button.setAttribute("aria-label", `${this.count} ${this.count === 1 ? "user" : "users"} here`);
    this.#faces.replaceChildren(...here.slice(0, FACES).map(face));
    if (this.#panel.hidden) return;
    this.#list.replaceChildren(...here.slice(0, MAX_ROWS).map((id) => this.#row(id)));
    const more = this.count - Math.min(here.length, MAX_ROWS);
    this.#note.textContent =
      more > 0 ? `and ${more.toLocaleString()} more` : here.length === 1 ? "Share the link to paint together." : "";
  }

  #row(userId) {
    const item = document.createElement("li");
    const self = userId === this.#self;
    const row = /** @type {HTMLButtonElement} */ (document.createElement(self ? "span" : "button"));
    row.className = "person";
    const name = document.createElement("bdi"); // right-to-left names must not reorder the row
    name.textContent = this.label(userId);
    row.append(face(userId), name);
    if (self) row.append(tag("you"));
    else {
      row.type = "button";
      row.dataset.user = userId;
      row.title = "Go to this cursor";
    }
    item.append(row);
    return item;
  }
}

function face(userId) {
  const dot = document.createElement("span");
  dot.className = "face";
  dot.style.backgroundColor = userColor(userId);
  return dot;
}

function tag(text) {
  const label = document.createElement("em");
  label.textContent = text;
  return label;
}
