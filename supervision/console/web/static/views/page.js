/**
 * A page of the application: its values, and its table.
 */
import { offersOf, showOffers, showOffersOfRow } from "../acts.js";
import { h, setLink, setText } from "../dom.js";
import { facts, valueRows } from "../facts.js";
import { anything, isQuantity, title } from "../format.js";
import { toActor } from "../router.js";
import { PAGE, Table } from "../table.js";

export class PageView {
  element;
  title = "";

  #context;
  #id;
  #query = /** @type {Record<string, string>} */ ({});
  #heading = h("h2");
  #offers = h("div", { className: "buttons" });
  #facts = h("dl", { className: "facts wide" });
  #place = h("div");
  /** The title and columns of the current table; a new table is built when they change. */
  #shape = "";
  /** @type {Table | null} */
  #table = null;

  /** @param {import("../app.js").Context} context @param {string} id */
  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    const head = h("header", null, this.#heading, h("span", { className: "space" }), this.#offers);
    this.element = h("div", { className: "stack" }, h("section", { className: "panel padded" }, head, this.#facts), this.#place);
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = query;
    if (this.#table) this.#table.query = query;
  }

  async refresh() {
    const { q = "", offset = 0 } = this.#query;
    const content = await this.#context.api.get(`pages/${encodeURIComponent(this.#id)}`, { q, offset, limit: PAGE });
    this.title = content.title;
    setText(this.#heading, content.title);
    showOffers(this.#offers, offersOf(this.#context, content.acts));
    facts(this.#facts, valueRows(content.values));
    this.#place.hidden = content.table === null;
    if (content.table) this.#show(content.table, content.search);
  }

  focusSearch() {
    this.#table?.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    return this.#table?.key(key) ?? false;
  }

  #show(table, search) {
    const shape = [table.title, ...table.columns].join("\n");
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#table = tableOf(this.#context, table, search);
      this.#table.query = this.#query;
      this.#place.replaceChildren(this.#table.element);
    }
    showTable(/** @type {Table} */ (this.#table), table);
  }
}

/**
 * Build a table of the application.
 * @param {import("../app.js").Context} context
 * @param {{title: string, columns: string[], empty: string, rows: any[][]}} table
 * @param {string} search placeholder of the search box; empty for no search box
 */
export function tableOf(context, { title: caption, columns, empty, rows }, search) {
  const acts = { name: "acts", label: "", sorts: false, acts: true, show: (row, cell) => offer(context, row, cell) };
  const table = new Table({
    caption,
    search,
    empty,
    keyOf: ({ key }) => key,
    columns: [...columns.map((name, index) => columnOf(name, index, rows)), acts],
  });
  table.onquery = (changes) => context.router.refine(changes);
  return table;
}

/**
 * @param {Table} table
 * @param {{rows: any[][], total: number, acts: import("../acts.js").Act[][]}} content
 */
export function showTable(table, { rows, total, acts }) {
  table.show(rows.map((cells, index) => ({ cells, acts: acts[index] ?? [], key: String(index) })), total);
}

/** Build a column. One that is named `actor` holds numbers of actors. */
function columnOf(name, index, rows) {
  const isNumber = rows.some((cells) => typeof cells[index] === "number" || isQuantity(cells[index]));
  const show = ({ cells }, cell) => {
    const value = cells[index];
    cell.dataset.level = isQuantity(value) ? value.level : "";
    if (name === "actor" && typeof value === "string") setLink(cell, toActor(value), value);
    else setText(cell, value === null || value === "" ? "–" : anything(value));
  };
  return { name, label: title(name), sorts: false, number: isNumber, wide: index === 0, show };
}

function offer(context, { cells, acts }, cell) {
  const about = cells.slice(0, 2).filter((value) => typeof value === "string" && value).join(", ");
  showOffersOfRow(cell, offersOf(context, acts), about, context.dialog);
}
