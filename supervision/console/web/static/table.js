/**
 * A table whose rows the server sorts, searches and pages; the query is in the address.
 *
 * @template R
 * @typedef {{name: string, label: string, show: (row: R, cell: HTMLElement) => void, sorts?: boolean, number?: boolean,
 *   wide?: boolean, hint?: string, acts?: boolean}} Column
 *   number: aligned to the right, and first sorted in descending order; wide: takes the remaining width; acts: stays
 *   visible when the other columns scroll
 */
import { h, reconcile, setText } from "./dom.js";
import { count } from "./format.js";

export const PAGE = 100;
const TYPING = 200;

export class Table {
  element;
  /** @type {(changes: Record<string, string | number>) => void} called when the query changes */
  onquery = () => {};

  #columns;
  #keyOf;
  #isLink;
  #empty;
  #query = /** @type {Record<string, string>} */ ({});
  #timer = 0;
  #heads = /** @type {Map<string, HTMLElement>} */ (new Map());
  #body = h("tbody");
  #search = /** @type {HTMLInputElement} */ (h("input", { type: "search", className: "search", spellcheck: false }));
  #title = h("h2");
  #count = h("output", { className: "soft count" });
  #note = h("p", { className: "empty", hidden: true });
  #previous = h("button", { type: "button", className: "button", "aria-label": "Previous page" }, "‹");
  #next = h("button", { type: "button", className: "button", "aria-label": "Next page" }, "›");
  #total = 0;

  /**
   * @param {{columns: Column<any>[], keyOf: (row: any) => string, isLink?: boolean, search?: string,
   *   filters?: HTMLElement[], empty: string, caption: string}} parts isLink: a click anywhere in a row opens
   *   its first link; search: placeholder of the search box, which is hidden without it; caption: the heading
   */
  constructor({ columns, keyOf, isLink, search, filters = [], empty, caption }) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#isLink = isLink;
    this.#empty = empty;
    setText(this.#title, caption);
    this.#search.placeholder = search ?? "";
    this.#search.hidden = !search;
    this.#search.setAttribute("aria-label", search ?? "");
    this.#search.addEventListener("input", () => this.#typed());
    this.#previous.addEventListener("click", () => this.turn(-1));
    this.#next.addEventListener("click", () => this.turn(1));
    const head = h("tr", null, ...columns.map((column) => this.#head(column)));
    this.element = h(
      "section",
      { className: "table panel" },
      h("div", { className: "bar" }, this.#title, this.#search, ...filters, h("span", { className: "space" }), this.#count, this.#previous, this.#next),
      h("div", { className: "scroll" }, h("table", { "aria-label": caption }, h("thead", null, head), this.#body)),
      this.#note,
    );
  }

  /** Show the query of the address. @param {Record<string, string>} query */
  set query(query) {
    this.#query = query;
    if (document.activeElement !== this.#search) this.#search.value = query.q ?? "";
    for (const [name, head] of this.#heads) {
      if (name === query.sort) head.setAttribute("aria-sort", query.order === "desc" ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  get offset() {
    return Number(this.#query.offset) || 0;
  }

  /**
   * @param {any[]} rows
   * @param {number} total number of rows on all pages
   */
  show(rows, total) {
    this.#total = total;
    reconcile(this.#body, rows, this.#keyOf, () => this.#row(), (element, row) => this.#fill(element, row));
    const last = this.offset + rows.length;
    setText(this.#count, total > rows.length ? `${count(this.offset + 1)}–${count(last)} of ${count(total)}` : count(total));
    this.#note.hidden = rows.length > 0;
    setText(this.#note, this.#query.q ? `Nothing matches “${this.#query.q}”.` : this.#empty);
    this.#previous.hidden = this.#next.hidden = total <= PAGE && this.offset === 0;
    this.#previous.disabled = this.offset === 0;
    this.#next.disabled = last >= total;
  }

  /** Move by a number of pages. @param {number} pages */
  turn(pages) {
    const offset = this.offset + pages * PAGE;
    if (offset < 0 || offset >= this.#total) return;
    this.onquery({ offset });
    this.element.querySelector(".scroll").scrollTop = 0;
  }

  /** @param {string} key @returns {boolean} whether it turns the page */
  key(key) {
    if (key !== "[" && key !== "]") return false;
    this.turn(key === "]" ? 1 : -1);
    return true;
  }

  /** Focus the search box. */
  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  /** Change the label of a column. @param {string} name @param {string} label */
  rename(name, label) {
    setText(/** @type {Element} */ (this.#heads.get(name)?.firstElementChild), label);
  }

  #head(column) {
    const head = h("th", { className: classOf(column), scope: "col", title: column.hint ?? "" });
    if (column.sorts === false) head.append(column.label);
    else head.append(h("button", { type: "button", onclick: () => this.#sort(column) }, column.label));
    this.#heads.set(column.name, head);
    return head;
  }

  #sort({ name, number }) {
    const first = number ? "desc" : "asc";
    const turned = this.#query.order === "desc" ? "asc" : "desc";
    this.onquery({ sort: name, order: this.#query.sort === name ? turned : first, offset: 0 });
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.onquery({ q: this.#search.value.trim(), offset: 0 }), TYPING);
  }

  #row() {
    const element = h("tr", null, ...this.#columns.map((column) => h("td", { className: classOf(column) })));
    if (this.#isLink) {
      element.className = "link";
      element.addEventListener("click", (event) => {
        if (/** @type {Element} */ (event.target).closest("a, button") || getSelection()?.toString()) return;
        element.querySelector("a")?.click();
      });
    }
    return element;
  }

  #fill(element, row) {
    this.#columns.forEach((column, index) => column.show(row, element.children[index]));
  }
}

/**
 * Create a column that shows a text.
 * @param {string} name
 * @param {string} label
 * @param {(row: any) => string} text
 * @param {Partial<Column<any>>} [more]
 * @returns {Column<any>}
 */
export function column(name, label, text, more = {}) {
  return { name, label, show: (row, cell) => setText(cell, text(row)), ...more };
}

function classOf({ number, wide, acts }) {
  return [number && "number", wide && "wide", acts && "acts"].filter(Boolean).join(" ");
}
