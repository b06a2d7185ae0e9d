/**
 * Who holds which name, and how many are in which topic.
 */
import { h, setLink, setText } from "../dom.js";
import * as format from "../format.js";
import { toActor } from "../router.js";
import { column, PAGE, Table } from "../table.js";

/** Topics that are shown, the fullest. */
const TOPICS = 50;
const FIXED = { sorts: false };

export class NamesView {
  element;
  title = "Names and topics";

  #context;
  #query = /** @type {Record<string, string>} */ ({});
  #clear = h("button", { type: "button", className: "pill", title: "Show all tables again", hidden: true });
  #names = new Table({
    caption: "Names",
    search: "Key or label",
    empty: "There are none.",
    keyOf: ({ table, key, ref }) => `${table}\n${key}\n${ref}`,
    isLink: true,
    filters: [this.#clear],
    columns: [
      { name: "key", label: "Name or topic", wide: true, ...FIXED, show: ({ key, ref }, cell) => setLink(cell, toActor(ref), key) },
      column("table", "Table", ({ table }) => table || "names", FIXED),
      column("label", "Held by", ({ label, ref }) => `${label} (${ref})`, FIXED),
      column("value", "Value", ({ value }) => (value === "None" ? "" : value), { ...FIXED, extra: true }),
    ],
  });
  #topics = new Table({
    caption: "Topics",
    empty: "There are no topics.",
    keyOf: ({ table, key }) => `${table}\n${key}`,
    columns: [
      { name: "key", label: "Topic", wide: true, ...FIXED, show: (topic, cell) => this.#link(topic, cell) },
      column("table", "Table", ({ table }) => table, FIXED),
      column("members", "Members", ({ members }) => format.count(members), { ...FIXED, number: true }),
    ],
  });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.#names.onquery = (changes) => context.router.refine(changes);
    this.#clear.addEventListener("click", () => context.router.refine({ table: "", q: "", offset: 0 }));
    this.element = h("div", { className: "stack" }, h("h2", null, "Names"), this.#names.element, h("h2", null, "Fullest topics"), this.#topics.element);
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
    const [names, topics] = await Promise.all([
      this.#context.api.get("names", { q, table, offset, limit: PAGE }),
      this.#context.api.get("topics", { limit: TOPICS }),
    ]);
    this.#names.show(names.entries, names.total);
    this.#topics.show(topics.topics, topics.topics.length);
  }

  focusSearch() {
    this.#names.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    if (key !== "[" && key !== "]") return false;
    this.#names.turn(key === "]" ? 1 : -1);
    return true;
  }

  /** A topic leads to those who are in it. */
  #link({ table, key }, cell) {
    const query = new URLSearchParams({ table, q: key });
    setLink(cell, `#/names?${query}`, key);
  }
}
