/**
 * Lists of names and values; a value may be a link.
 */
import { h, reconcile, setLink, setText } from "./dom.js";
import { anything, isQuantity, title } from "./format.js";

/**
 * @param {HTMLElement} list a `dl`
 * @param {[string, string, string?, string?][]} rows name, value, address, level
 */
export function facts(list, rows) {
  reconcile(list, rows, ([name]) => name, ([name]) => h("div", null, h("dt", null, name), h("dd")), (row, [, value, address, level]) => {
    row.lastElementChild.dataset.level = level ?? "";
    if (address) setLink(row.lastElementChild, address, value);
    else setText(row.lastElementChild, value);
  });
}

/**
 * Turn the values of an application's page into rows of `facts`.
 * @param {Record<string, any>} values
 * @returns {[string, string, string, string][]}
 */
export function valueRows(values) {
  return Object.entries(values).map(([name, value]) => [title(name), anything(value), "", isQuantity(value) ? value.level : ""]);
}

/**
 * Show links to actors.
 * @param {HTMLElement} list
 * @param {{ref: string, label: string, is_alive?: boolean}[]} peers
 * @param {(ref: string) => string} hrefOf
 */
export function peers(list, peers, hrefOf) {
  reconcile(list, peers, ({ ref }) => ref, () => h("li", { className: "row" }), (row, { ref, label, is_alive = true }) => {
    setLink(row, hrefOf(ref), label);
    row.classList.toggle("gone", !is_alive);
  });
}
