/**
 * One crash: its reason, and a test that reproduces it.
 */
import { h, setText } from "../dom.js";
import { facts } from "../facts.js";
import * as format from "../format.js";
import { href } from "../router.js";

export class CrashView {
  element;
  title = "Crash";

  #context;
  #number;
  #loaded = false;
  /** The test's source; the page shows it with escapes. */
  #test = "";
  #heading = h("h2");
  #reason = h("p", { className: "reason", dataset: { testid: "reason" } });
  #facts = h("dl", { className: "facts" });
  #state = h("dl", { className: "facts code" });
  #traceback = h("pre", { tabIndex: 0 });
  #recent = h("pre", { tabIndex: 0 });
  #case = h("pre", { tabIndex: 0, dataset: { testid: "case" } });
  #copy = h("button", { type: "button", className: "button primary", onclick: () => this.#copyCase() }, "Copy as pytest case");

  /** @param {import("../app.js").Context} context @param {string} number */
  constructor(context, number) {
    this.#context = context;
    this.#number = number;
    this.element = h(
      "div",
      { className: "stack" },
      h("section", { className: "panel padded" }, h("header", null, this.#heading, this.#copy), this.#reason, this.#facts),
      part("Traceback", this.#traceback),
      part("State at the crash", this.#state),
      part("Previous messages", this.#recent),
      part("As a test", this.#case),
    );
  }

  /** Load once: a crash does not change. */
  async refresh() {
    if (this.#loaded) return;
    const details = await this.#context.api.get(`crashes/${encodeURIComponent(this.#number)}`);
    this.#loaded = true;
    this.#show(details);
  }

  #show({ crash, path, message, recent, state, traceback, case: test }) {
    this.title = `Crash ${crash.number}: ${crash.label}`;
    setText(this.#heading, `${crash.label} crashed`);
    setText(this.#reason, format.why(crash));
    facts(this.#facts, [
      ["When", `${format.moment(crash.at)}, ${format.ago(crash.at, this.#context.overview?.at)}`],
      ["Message", message === "None" ? "none" : message],
      ["Kind", crash.kind],
      ["Where", path.join(" › ")],
      ["Number", `${crash.ref}, after ${format.plural(crash.restarts, "restart")}`],
      ["Running now", `actors labelled ${crash.label}`, href(["tree"], { q: crash.label })],
    ]);
    facts(this.#state, Object.entries(state));
    fill(this.#traceback, traceback || "None: no exception ended the actor.");
    fill(this.#recent, recent.join("\n"));
    fill(this.#case, test);
    this.#test = test;
    /** @type {HTMLElement} */ (this.#state.parentElement).hidden = Object.keys(state).length === 0;
  }

  async #copyCase() {
    const text = this.#test;
    try {
      await navigator.clipboard.writeText(text);
      this.#context.toasts.say("Copied. Save it as test_….py.");
    } catch {
      getSelection()?.selectAllChildren(this.#case); // without TLS the clipboard API is missing, but Ctrl C works
      this.#case.focus();
      this.#context.toasts.say("Press Ctrl C to copy the selection.", "warning");
    }
  }
}

function part(title, content) {
  return h("section", { className: "panel padded" }, h("h3", null, title), content);
}

function fill(element, text) {
  setText(element, text);
  element.parentElement.hidden = text === "";
}
