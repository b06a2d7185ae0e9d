/**
 * The application's facts about its store.
 */
import { h } from "../dom.js";
import { facts, valueRows } from "../facts.js";

export class StoreView {
  element;
  title = "Store";

  #context;
  #facts = h("dl", { className: "facts" });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.element = h("section", { className: "panel padded" }, h("h2", null, "Store"), this.#facts);
  }

  async refresh() {
    const { values } = await this.#context.api.get("store");
    const rows = valueRows(values);
    facts(this.#facts, rows.length ? rows : [["Store", "The application reports nothing about its store."]]);
  }
}
