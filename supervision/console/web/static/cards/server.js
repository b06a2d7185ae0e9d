/**
 * The server: its traffic, and the actions on the whole application.
 */
import { h } from "../dom.js";
import { facts } from "../facts.js";
import * as format from "../format.js";

const LEVELS = ["debug", "info", "warning", "error"];

export class ServerCard {
  element;

  #context;
  #facts = h("dl", { className: "facts" });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.element = h("section", { className: "card panel" }, h("h3", null, "Server"), this.#facts, h("div", { className: "buttons" }, ...this.#buttons()));
  }

  show(overview) {
    facts(this.#facts, [
      ["Uptime", `${format.seconds(Math.floor(overview.uptime))}${overview.is_draining ? ", draining" : ""}`],
      ["Accepted", format.plural(overview.accepted, "connection")],
      ["Refused", reasons(overview.refused)],
      ["Cut off", reasons(overview.cut_off)],
      ["Traffic", `${format.bytes(overview.bytes_in)} in, ${format.bytes(overview.bytes_out)} out`],
      ["Messages", `${format.count(overview.messages)} in ${format.count(overview.turns)} turns, ${format.count(overview.waiting)} waiting`],
    ]);
  }

  #buttons() {
    const { actions } = this.#context;
    return [
      actions.may("log-level") ? this.#levels() : null,
      actions.may("drain") ? h("button", { type: "button", className: "button danger", onclick: () => this.#drain() }, "Drain") : null,
    ];
  }

  /** A menu rather than a field, since the API does not report the current level. */
  #levels() {
    const options = LEVELS.map((level) => h("option", { value: level }, level));
    const select = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": "Log level" }, h("option", { value: "" }, "Log level…"), ...options));
    select.addEventListener("change", async () => {
      const level = select.value;
      select.value = "";
      await this.#context.actions.setLogLevel(level);
    });
    return select;
  }

  #drain() {
    return this.#context.actions.drain(this.#context.overview?.connections ?? 0);
  }
}

function reasons(counts) {
  const all = Object.entries(counts).map(([reason, number]) => `${reason} ${format.count(number)}`);
  return all.length ? all.join(", ") : "none";
}
