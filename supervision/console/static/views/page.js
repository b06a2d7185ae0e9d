/**
 * A page of the application: its values, and its tables.
 */
import { h, reconcile, setLink, setText } from "../dom.js";
import { facts } from "../facts.js";
import { anything, count } from "../format.js";
import { toActor } from "../router.js";

/** Rows of one table that are shown. */
const MAX_ROWS = 200;

export class PageView {
  element;
  title = "";

  #context;
  #id;
  #heading = h("h2");
  #facts = h("dl", { className: "facts" });
  #tables = h("div", { className: "stack" });

  /** @param {import("../app.js").Context} context @param {string} id */
  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    this.element = h("div", { className: "stack" }, h("section", { className: "panel padded" }, this.#heading, this.#facts), this.#tables);
  }

  async refresh() {
    const { title, values, tables } = await this.#context.api.get(`pages/${encodeURIComponent(this.#id)}`);
    this.title = title;
    setText(this.#heading, title);
    facts(this.#facts, Object.entries(values).map(([name, value]) => [name, anything(value)]));
    reconcile(this.#tables, tables, ({ title, columns }) => [title, ...columns].join("\n"), made, filled);
  }
}

function made({ title, columns }) {
  const head = h("tr", null, ...columns.map((name) => h("th", { scope: "col" }, name)));
  const table = h("table", { "aria-label": title }, h("thead", null, head), h("tbody"));
  const bar = h("div", { className: "bar" }, h("h3", null, title), h("span", { className: "space" }), h("output", { className: "soft count" }));
  return h("section", { className: "table panel" }, bar, h("div", { className: "scroll" }, table));
}

function filled(section, { columns, rows }) {
  const shown = rows.slice(0, MAX_ROWS).map((cells, index) => ({ cells, index }));
  const heads = section.querySelectorAll("th");
  const keyOf = ({ index }) => String(index);
  const make = () => h("tr", null, ...columns.map(() => h("td")));
  reconcile(section.querySelector("tbody"), shown, keyOf, make, (row, { cells }) => {
    cells.forEach((value, index) => fill(row.children[index], heads[index], value));
  });
  setText(section.querySelector("output"), count(rows.length));
}

/** A column that is called `actor` holds numbers of actors. */
function fill(cell, head, value) {
  const isNumber = typeof value === "number";
  for (const each of [cell, head]) each.classList.toggle("number", isNumber);
  if (head.textContent === "actor" && typeof value === "string") setLink(cell, toActor(value), value);
  else setText(cell, anything(value));
}
