/**
 * All actors as a table.
 */
import { h, setLink, setText } from "../dom.js";
import * as format from "../format.js";
import { toActor } from "../router.js";
import { column, PAGE, Table } from "../table.js";

const STATES = ["idle", "queued", "running", "waiting", "suspended"];
const DEFAULTS = { sort: "recent", order: "desc" };
const NUMBER = { number: true };

export class ActorsView {
  element;
  title = "Actors";

  #context;
  #query = /** @type {Record<string, string>} */ ({});
  #state = /** @type {HTMLSelectElement} */ (
    h("select", { "aria-label": "State" }, h("option", { value: "" }, "Any state"), ...STATES.map((state) => h("option", { value: state }, state)))
  );
  #kind = h("button", { type: "button", className: "pill", title: "Show all kinds again", hidden: true });
  #table = new Table({
    caption: "Actors",
    search: "Label, kind or number",
    empty: "There are none.",
    keyOf: ({ ref }) => ref,
    isLink: true,
    filters: [this.#state, this.#kind],
    columns: [
      { name: "label", label: "Label", wide: true, show: ({ ref, label }, cell) => setLink(cell, toActor(ref), label) },
      column("ref", "Number", ({ ref }) => ref, { ...NUMBER }),
      column("kind", "Kind", ({ kind }) => kind, { hint: "The actor's class" }),
      { name: "state", label: "State", show: ({ state }, cell) => setState(cell, state) },
      column("mailbox", "Mailbox", ({ mailbox }) => format.count(mailbox), { ...NUMBER, hint: "Messages in its mailbox now" }),
      column("peak", "Peak", ({ peak }) => format.count(peak), { ...NUMBER, hint: "The longest its mailbox has been at the beginning of a turn" }),
      column("handled", "Handled", ({ handled }) => format.count(handled), { ...NUMBER, hint: "Messages it has handled since it started" }),
      column("recent", "Recent", ({ recent }) => format.count(recent), { ...NUMBER, hint: "Messages it has handled recently" }),
      column("used", "Time", ({ used }) => format.seconds(used), { ...NUMBER, hint: "How long it has run since measuring began, while a console was open" }),
      column("recently_used", "Recent time", ({ recently_used }) => format.seconds(recently_used), { ...NUMBER, hint: "How long it has run recently" }),
      column("restarts", "Restarts", ({ restarts }) => format.count(restarts), { ...NUMBER }),
      column("memory", "Memory", ({ memory }) => format.bytes(memory), { ...NUMBER, hint: "An estimate: itself, its attributes, its mailbox" }),
    ],
  });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.#table.onquery = (changes) => context.router.refine(changes);
    this.#state.addEventListener("change", () => context.router.refine({ state: this.#state.value, offset: 0 }));
    this.#kind.addEventListener("click", () => context.router.refine({ kind: "", offset: 0 }));
    this.element = this.#table.element;
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = { ...DEFAULTS, ...query };
    this.#table.query = this.#query;
    this.#state.value = query.state ?? "";
    this.#kind.hidden = !query.kind;
    setText(this.#kind, `${query.kind} ×`);
  }

  async refresh() {
    const { sort, order, q = "", state = "", kind = "", offset = 0 } = this.#query;
    const page = await this.#context.api.get("actors", { sort, order, q, state, kind, offset, limit: PAGE });
    const window = page.window ? `${Math.round(page.window)} s` : "recent";
    this.#table.rename("recent", `Messages, ${window}`);
    this.#table.rename("recently_used", `Time, ${window}`);
    this.#table.show(page.actors, page.total);
  }

  focusSearch() {
    this.#table.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    return this.#table.key(key);
  }
}

function setState(cell, state) {
  const dot = cell.firstElementChild ?? cell.appendChild(h("span", { className: "state" }));
  dot.dataset.state = state;
  setText(dot, state);
}
