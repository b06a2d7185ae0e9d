/**
 * The topics and their sizes, the largest first.
 */
import { setLink } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";
import { column, PAGE, Table } from "../table.js";

const FIXED = { sorts: false };

export class TopicsView {
  element;
  title = "Topics";

  #context;
  #query = /** @type {Record<string, string>} */ ({});
  #table = new Table({
    caption: "Topics",
    search: "Topic",
    empty: "There are no topics.",
    keyOf: ({ table, key }) => `${table}\n${key}`,
    isLink: true,
    columns: [
      // A topic links to its members.
      { name: "key", label: "Topic", wide: true, ...FIXED, show: ({ table, key }, cell) => setLink(cell, href(["names"], { table, q: key }), key) },
      column("table", "Table", ({ table }) => table, FIXED),
      column("members", "Members", ({ members }) => format.count(members), { ...FIXED, number: true }),
    ],
  });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.#table.onquery = (changes) => context.router.refine(changes);
    this.element = this.#table.element;
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = query;
    this.#table.query = query;
  }

  async refresh() {
    const { q = "", offset = 0 } = this.#query;
    const { topics, total } = await this.#context.api.get("topics", { q, offset, limit: PAGE });
    this.#table.show(topics, total);
  }

  focusSearch() {
    this.#table.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    return this.#table.key(key);
  }
}
