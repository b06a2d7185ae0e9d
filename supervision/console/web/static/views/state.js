/**
 * The attributes of an actor, on request: the audit log records each read.
 */
import { h, setText } from "../dom.js";
import { facts } from "../facts.js";
import { time } from "../format.js";

export class StatePanel {
  element;

  #context;
  #ref;
  #note = h("span", { className: "soft" });
  #facts = h("dl", { className: "facts code", dataset: { testid: "state" } });

  /** @param {import("../app.js").Context} context @param {string} ref */
  constructor(context, ref) {
    this.#context = context;
    this.#ref = ref;
    const button = h("button", { type: "button", className: "button", onclick: () => this.ask() }, "Get state");
    this.element = h("section", { className: "panel padded" }, h("header", null, h("h3", null, "State"), button, this.#note), this.#facts);
  }

  /** Switch to the actor's successor. @param {string} ref */
  follow(ref) {
    this.#ref = ref;
    setText(this.#note, "");
    this.#facts.replaceChildren();
  }

  async ask() {
    try {
      const { state, is_cut } = await this.#context.api.post(`actors/${this.#ref}/state`);
      facts(this.#facts, Object.entries(state));
      const left = is_cut ? ", truncated" : "";
      setText(this.#note, Object.keys(state).length ? `as it was at ${time(Date.now() / 1000)}${left}` : "It has no attributes.");
    } catch (error) {
      setText(this.#note, error.message);
    }
  }
}
