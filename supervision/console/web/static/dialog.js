/**
 * Modal questions: every action on the system requires an answer.
 *
 * @typedef {{name: string, label: string, value: number, min: number, max: number}} Field a number to enter
 * @typedef {{title: string, text: string, verb: string, danger?: boolean, fields?: Field[]}} Question
 */
import { showOffers } from "./acts.js";
import { h } from "./dom.js";

export class Dialog {
  #dialog = /** @type {HTMLDialogElement} */ (h("dialog", { className: "ask", "aria-labelledby": "ask-title" }));

  constructor() {
    this.#dialog.dataset.testid = "confirm";
    document.body.append(this.#dialog);
  }

  /**
   * Ask a question; null means no.
   * @param {Question} question
   * @returns {Promise<Record<string, number> | null>}
   */
  ask({ title, text, verb, danger = false, fields = [] }) {
    const before = document.activeElement;
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, title),
      h("p", null, text),
      ...fields.map(row),
      h(
        "footer",
        null,
        h("button", { className: "button", value: "", formNoValidate: true }, "Cancel"),
        h("button", { className: `button primary${danger ? " danger" : ""}`, value: "yes", autofocus: true }, verb),
      ),
    );
    this.#dialog.replaceChildren(form);
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const closed = () => {
        resolve(this.#dialog.returnValue === "yes" ? numbers(form) : null);
        if (before instanceof HTMLElement && before.isConnected) before.focus();
      };
      this.#dialog.addEventListener("close", closed, { once: true });
    });
  }

  /**
   * Let the user choose an action.
   * @param {string} title
   * @param {import("./acts.js").Offer[]} offers
   */
  offer(title, offers) {
    const list = h("div", { className: "menu" });
    showOffers(list, offers.map((offer) => (offer.press ? { ...offer, press: () => this.#closed(/** @type {() => void} */ (offer.press)) } : offer)));
    list.addEventListener("click", ({ target }) => /** @type {Element} */ (target).closest("a") && this.#dialog.close());
    const cancel = h("form", { method: "dialog" }, h("footer", null, h("button", { className: "button" }, "Cancel")));
    this.#dialog.replaceChildren(h("h2", { id: "ask-title" }, title), list, cancel);
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
  }

  /** Close the dialog, then continue: the next step may open it again. @param {() => void} then */
  #closed(then) {
    this.#dialog.addEventListener("close", then, { once: true });
    this.#dialog.close();
  }
}

function row({ name, label, value, min, max }) {
  return h(
    "label",
    { className: "field" },
    h("span", null, label),
    h("input", { type: "number", name, value: String(value), min: String(min), max: String(max), required: true }),
  );
}

function numbers(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, Number(value)]));
}
