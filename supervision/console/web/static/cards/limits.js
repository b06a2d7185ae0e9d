/**
 * The limits, and how full they are.
 */
import { h, reconcile, setText } from "../dom.js";
import * as format from "../format.js";

export class LimitsCard {
  #list = h("ul", { className: "limits" });
  element = h("section", { className: "card panel" }, h("h3", null, "Limits"), this.#list);

  show({ limits }) {
    reconcile(this.#list, limits, ({ name }) => name, ({ name }) => limit(name), (row, { used, limit, share, unit }) => {
      const [, text, meter] = row.children;
      setText(text, format.usage(used, limit, unit));
      meter.firstElementChild.style.setProperty("--share", String(Math.min(1, share)));
      row.dataset.level = text.dataset.level = format.level("share", share);
    });
  }
}

function limit(name) {
  return h("li", null, h("span", null, name), h("span", { className: "soft" }), h("div", { className: "meter" }, h("i")));
}
