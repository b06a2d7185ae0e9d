/**
 * A trace: the messages that an actor receives, and its replies, as they arrive. It ends after a number of lines or seconds.
 */
import { h, setText } from "../dom.js";

const MAX_LINES = 300;

export class TracePanel {
  element;

  #context;
  #ref;
  #lines = field("Lines", 100, 1, 1000);
  #seconds = field("Seconds", 10, 1, 60);
  #begin = h("button", { type: "button", className: "button", onclick: () => this.begin() }, "Trace");
  #stop = h("button", { type: "button", className: "button", hidden: true, onclick: () => this.#end() }, "Stop");
  #note = h("span", { className: "soft" });
  #list = h("ol", { className: "trace", dataset: { testid: "trace" } });

  /** @param {import("../app.js").Context} context @param {string} ref */
  constructor(context, ref) {
    this.#context = context;
    this.#ref = ref;
    const header = h("header", null, h("h3", null, "Trace"), this.#lines, this.#seconds, this.#begin, this.#stop, this.#note);
    this.element = h("section", { className: "panel padded" }, header, this.#list);
  }

  /** Switch to the actor's successor. @param {string} ref */
  follow(ref) {
    this.#ref = ref;
  }

  async begin() {
    this.#list.replaceChildren();
    const body = { lines: Number(value(this.#lines)), seconds: Number(value(this.#seconds)) };
    try {
      await this.#context.api.post(`actors/${this.#ref}/trace`, body);
      this.#show(null);
    } catch (error) {
      setText(this.#note, error.message);
    }
  }

  /** @param {any} update of a trace, of this actor or of another */
  receive({ ref, line, ended }) {
    if (ref !== this.#ref) return;
    if (line) this.#add(line);
    this.#show(ended);
  }

  async #end() {
    try {
      await this.#context.api.delete(`actors/${this.#ref}/trace`);
    } catch (error) {
      setText(this.#note, error.message);
    }
  }

  #show(ended) {
    this.#stop.hidden = ended !== null;
    const count = this.#list.children.length;
    const over = `The trace has ended: ${ended}.`;
    setText(this.#note, ended === null ? "running: messages appear as they arrive" : count ? over : `No messages. ${over}`);
  }

  #add({ after, kind, text, caller }) {
    if (this.#list.children.length >= MAX_LINES) this.#list.firstElementChild?.remove();
    this.#list.append(
      h(
        "li",
        null,
        h("span", { className: "soft number" }, after.toFixed(3)),
        h("span", { className: `pill ${kind}` }, kind),
        h("code", null, text),
        caller ? h("span", { className: "soft" }, `from ${caller}`) : null,
      ),
    );
  }
}

function field(label, value, min, max) {
  const input = h("input", { type: "number", value: String(value), min: String(min), max: String(max) });
  return h("label", { className: "small field" }, h("span", null, label), input);
}

function value(label) {
  return label.querySelector("input").value;
}
