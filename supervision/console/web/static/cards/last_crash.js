/**
 * The last crash and its reason.
 */
import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";

export class LastCrashCard {
  element;

  #context;
  #known = -1;
  #at = 0;
  #label = h("strong");
  #when = h("span", { className: "soft" });
  #reason = h("p", { className: "reason" }, "No actor has crashed yet.");
  #why = h("a", { className: "button", hidden: true }, "Traceback and state");

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.element = h(
      "section",
      { className: "card panel", dataset: { testid: "crash-card" } },
      h("h3", null, "Last crash"),
      h("p", null, this.#label, " ", this.#when),
      this.#reason,
      h("footer", null, this.#why, h("a", { href: href(["crashes"]) }, "All crashes")),
    );
  }

  async refresh() {
    const { total, crashes } = await this.#context.api.get("crashes");
    this.#known = total;
    const last = crashes[0];
    if (!last) return;
    this.#at = last.at;
    setText(this.#label, last.label);
    setText(this.#reason, format.why(last));
    this.#why.hidden = false;
    this.#why.setAttribute("href", href(["crashes", String(last.number)]));
    this.#age(this.#context.overview?.at);
  }

  show({ at, crashes }) {
    if (this.#known >= 0 && crashes !== this.#known) this.#context.hurry();
    this.#age(at);
  }

  /** @param {number} [now] by the server's clock */
  #age(now) {
    if (this.#at) setText(this.#when, format.ago(this.#at, now));
  }
}
