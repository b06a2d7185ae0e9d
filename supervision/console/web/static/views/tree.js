/**
 * The live tree. A restarted actor flashes, or the folded ancestor that hides it.
 */
import { h, reconcile, setLink, setText } from "../dom.js";
import { count, plural } from "../format.js";
import { Growth } from "../growth.js";
import { toActor } from "../router.js";

/** Children of one actor to request at first; each "Show more" adds twice as many. */
const CHILDREN = 50;
const MAX_CHILDREN = 300;
const DEPTH = 12;
const FILTERS = { "": "Everything", supervisors: "Supervisors", restarted: "Restarted", waiting: "With messages waiting", suspended: "Suspended" };
const TYPING = 200;

export class TreeView {
  element;
  title = "Tree";

  #context;
  #growth = new Growth();
  #limit = CHILDREN;
  #query = /** @type {Record<string, string>} */ ({});
  /** @type {import("../growth.js").Node | null} */
  #top = null;
  /** @type {import("../growth.js").Row[]} */
  #rows = [];
  /** The path of the row that has the keyboard focus. */
  #current = "";
  #timer = 0;
  #search = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", className: "search", placeholder: "Label, kind or number", "aria-label": "Label, kind or number", spellcheck: false })
  );
  #filter = /** @type {HTMLSelectElement} */ (
    h("select", { "aria-label": "Show only" }, ...Object.entries(FILTERS).map(([value, text]) => h("option", { value }, text)))
  );
  #tree = h("div", { role: "tree", "aria-label": "Actors", className: "tree", dataset: { testid: "tree" } });
  #more = h("button", { type: "button", className: "button", hidden: true }, "Show more of each");
  #note = h("p", { className: "empty", hidden: true });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.#search.addEventListener("input", () => this.#typed());
    this.#filter.addEventListener("change", () => context.router.refine({ only: this.#filter.value }));
    this.#more.addEventListener("click", () => this.#ask(this.#limit + 2 * CHILDREN));
    this.#tree.addEventListener("focusin", (event) => this.#focused(/** @type {Element} */ (event.target).closest("[role=treeitem]")));
    const hint = h("span", { className: "soft extra" }, "Restarted actors flash.");
    const bar = h("div", { className: "bar" }, h("h2", null, "Tree"), this.#search, this.#filter, h("span", { className: "space" }), hint);
    this.element = h("section", { className: "panel" }, bar, this.#tree, this.#note, h("footer", null, this.#more));
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = query;
    this.#filter.value = query.only ?? "";
    if (document.activeElement !== this.#search) this.#search.value = query.q ?? "";
  }

  async refresh() {
    const { q = "", only = "" } = this.#query;
    this.#top = await this.#context.api.get("tree", { limit: this.#limit, depth: DEPTH, q, only });
    this.#render();
  }

  changed({ type, started, ended, restarted, is_cut }) {
    if (type !== "live") return;
    this.#growth.restarted(restarted, performance.now());
    if (started.length || ended.length || is_cut) this.#context.hurry();
    else if (this.#rows.some(({ isFresh }) => isFresh)) this.#render();
  }

  focusSearch() {
    this.#search.select();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    const index = this.#rows.findIndex(({ path }) => path === this.#current);
    const row = this.#rows[Math.max(0, index)];
    if (!row) return false;
    const isHere = this.#tree.contains(document.activeElement);
    if (key === "c") void this.#context.actions.onActor("crash", row.node);
    else if (key === "ArrowDown" || key === "j") this.#go(isHere ? index + 1 : index);
    else if (key === "ArrowUp" || key === "k") this.#go(index - 1);
    else if (key === "Home") this.#go(0);
    else if (key === "End") this.#go(this.#rows.length - 1);
    else if (key === "ArrowRight") return row.isOpen ? this.#go(index + 1) : this.#fold(row, true);
    else if (key === "ArrowLeft") return row.isOpen ? this.#fold(row, false) : this.#go(this.#above(index));
    else if (key === "Enter" && document.activeElement?.role === "treeitem") this.#context.router.go(toActor(row.node.ref));
    else return false;
    return true;
  }

  #ask(limit) {
    this.#limit = Math.min(MAX_CHILDREN, limit);
    this.#context.refresh();
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#context.router.refine({ q: this.#search.value.trim() }), TYPING);
  }

  #fold(row, isOpen) {
    if (row.node.count === 0) return true;
    this.#growth.fold(row.path, isOpen);
    this.#render();
    return true;
  }

  #above(index) {
    const level = this.#rows[Math.max(0, index)].level;
    for (let above = index - 1; above >= 0; above--) if (this.#rows[above].level < level) return above;
    return 0;
  }

  #go(index) {
    const row = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, index))];
    this.#current = row.path;
    this.#render();
    /** @type {HTMLElement[]} */ ([...this.#tree.children]).find((element) => element.dataset.key === row.key)?.focus();
    return true;
  }

  #focused(element) {
    if (element) this.#current = element.dataset.key;
  }

  #render() {
    if (!this.#top) return;
    const isSearch = Boolean(this.#query.q || this.#query.only);
    const { rows, isCut } = this.#growth.rows(this.#top, performance.now(), isSearch);
    this.#rows = rows;
    if (!rows.some(({ path }) => path === this.#current)) this.#current = rows[0].path;
    reconcile(this.#tree, rows, ({ key }) => key, (row) => this.#item(row), (element, row) => this.#fill(element, row));
    this.#more.hidden = isCut || this.#limit >= MAX_CHILDREN || !rows.some(({ isOpen, hidden }) => isOpen && hidden > 0);
    this.#say(rows, isCut, isSearch);
  }

  #say(rows, isCut, isSearch) {
    const isNothing = isSearch && rows.length === 1 && rows[0].node.count === 0;
    this.#note.hidden = !isCut && !isNothing;
    if (isNothing) setText(this.#note, "There is no such actor.");
    if (isCut) setText(this.#note, `Only the first ${rows.length} rows are shown. Fold some, or search.`);
  }

  #item(row) {
    const current = () => this.#rows.find(({ path }) => path === row.path) ?? row;
    const twisty = h("button", { type: "button", className: "twisty", tabIndex: -1, "aria-hidden": "true" });
    twisty.addEventListener("click", () => this.#fold(current(), !current().isOpen));
    const crash = this.#context.actions.button("crash", () => current().node);
    if (crash) crash.tabIndex = -1;
    return h(
      "div",
      { role: "treeitem", className: "node", dataset: { label: row.node.label } },
      twisty,
      h("span", { className: "label" }),
      h("span", { className: "soft kind" }),
      h("span", { className: "pills" }),
      h("span", { className: "space" }),
      crash,
    );
  }

  #fill(element, row) {
    const { node, level, isOpen, isFresh, position, size, hidden } = row;
    const [twisty, label, kind, pills] = element.children;
    element.style.setProperty("--level", String(level - 1));
    element.tabIndex = row.path === this.#current ? 0 : -1;
    element.dataset.ref = node.ref;
    element.classList.toggle("fresh", isFresh);
    element.setAttribute("aria-level", String(level));
    element.setAttribute("aria-posinset", String(position));
    element.setAttribute("aria-setsize", String(size));
    if (node.count > 0) element.setAttribute("aria-expanded", String(isOpen));
    else element.removeAttribute("aria-expanded");
    setText(twisty, node.count === 0 ? "" : isOpen ? "▾" : "▸");
    setLink(label, toActor(node.ref), node.label);
    label.firstElementChild.tabIndex = -1;
    setText(kind, node.kind);
    reconcile(pills, marks(node, isOpen, isFresh, hidden), ([name]) => name, ([name]) => h("span", { className: `pill ${name}` }), (pill, [, text]) => setText(pill, text));
  }
}

/** @returns {[string, string][]} class and text */
function marks({ state, mailbox, restarts, count: children }, isOpen, isFresh, hidden) {
  /** @type {[string, string | false][]} */
  const all = [
    ["count", children > 0 && !isOpen && count(children)],
    ["more", isOpen && hidden > 0 && `${count(children - hidden)} of ${count(children)} shown`],
    ["suspended", state === "suspended" && state],
    ["waiting", mailbox > 0 && `${count(mailbox)} waiting`],
    ["restarts", restarts > 0 && `↻ ${isFresh ? "restarted, " : ""}${plural(restarts, "restart")}`],
  ];
  return /** @type {[string, string][]} */ (all.filter(([, text]) => text));
}
