/**
 * The names and topics, and the actors that hold them.
 */
import { h, setLink, setText } from "../dom.js";
import { toActor } from "../router.js";
import { column, PAGE, Table } from "../table.js";

const FIXED = { sorts: false };

export class NamesView {
  element;
  title = "Names";

  #context;
  #query = /** @type {Record<string, string>} */ ({});
  #clear = h("button", { type: "button", className: "pill", title: "Show all tables again", hidden: true });
  #names = new Table({
    caption: "Names",
    search: "Name, topic or label",
    empty: "There are no names.",
    keyOf: ({ table, key, ref }) => `${table}\n${key}\n${ref}`,
    isLink: true,
    filters: [this.#clear],
    columns: [
      { name: "key", label: "Name or topic", wide: true, ...FIXED, show: ({ key, ref }, cell) => setLink(cell, toActor(ref), key) },
      column("table", "Table", ({ table }) => table || "names", FIXED),
      column("label", "Held by", ({ label, ref }) => `${label} (${ref})`, FIXED),
      column("value", "Value", ({ value }) => value ?? "", FIXED),
    ],
  });
  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.#names.onquery = (changes) => context.router.refine(changes);
    this.#clear.addEventListener("click", () => context.router.refine({ table: "", q: "", offset: 0 }));
    this.element = this.#names.element;
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = query;
    this.#names.query = query;
    this.#clear.hidden = !query.table;
    setText(this.#clear, `${query.table} ×`);
  }

  async refresh() {
    const { q = "", table = "", offset = 0 } = this.#query;
    const { entries, total } = await this.#context.api.get("names", { q, table, offset, limit: PAGE });
    this.#names.show(entries, total);
  }

  focusSearch() {
    this.#names.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    return this.#names.key(key);
  }
}
