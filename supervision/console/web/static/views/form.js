/**
 * A form of the application: the user fills it in, sees a preview of the result, and applies it.
 */
import { offersOf, showOffers } from "../acts.js";
import { AreaField } from "../area.js";
import { h } from "../dom.js";
import { facts, valueRows } from "../facts.js";
import { showTable, tableOf } from "./page.js";

/** Seconds -> label of the shortcut. */
const AGO = { 600: "10 min ago", 3600: "1 h ago", 86400: "1 day ago" };

export class FormView {
  element;
  title;

  #context;
  #form;
  /** @type {Map<string, HTMLInputElement | HTMLSelectElement>} */
  #inputs = new Map();
  #fields = h("form", { className: "form", noValidate: true });
  #entry;
  #result = h("section", { className: "panel padded told", hidden: true, "aria-live": "polite", dataset: { testid: "told" } });
  /** Whether the values in the route are still to be previewed. */
  #isPending = false;
  /** Counts the requests: only the response to the last one is shown. */
  #requests = 0;
  /** The values of the last preview, and what the user agrees to; each as JSON. */
  #shown = { values: "", agreement: "" };

  /** @param {import("../app.js").Context} context @param {any} form */
  constructor(context, form) {
    this.#context = context;
    this.#form = form;
    this.title = form.title;
    this.#fields.append(
      ...form.fields.map((field) => this.#row(field)),
      h("footer", null, h("button", { className: "button primary" }, "Preview")),
    );
    this.#fields.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#preview();
    });
    this.#fields.addEventListener("change", () => this.#result.hidden || void this.#preview());
    this.#entry = h("section", { className: "panel padded" }, h("h2", null, form.title), h("p", { className: "soft" }, form.about), this.#fields);
    this.element = h("div", { className: "stack narrow" }, this.#entry, this.#result);
  }

  /** @param {Record<string, string>} query values of the fields */
  set query(query) {
    for (const { name, kind, value } of this.#form.fields) fill(this.#inputs.get(name), kind, query[name] ?? value);
    this.#requests += 1;
    this.#shown = { values: "", agreement: "" };
    this.#entry.hidden = false;
    this.#result.hidden = true;
    this.#isPending = Object.keys(query).length > 0;
  }

  /** Preview once: a form changes only by the user's input. */
  async refresh() {
    if (!this.#isPending) return;
    this.#isPending = false;
    await this.#preview();
  }

  get #values() {
    return Object.fromEntries(this.#form.fields.map(({ name, kind }) => [name, read(this.#inputs.get(name), kind)]));
  }

  /** Show a preview. An unchanged one stays as it is, since the user may be about to press its button. */
  async #preview() {
    const values = this.#values;
    await this.#send(values, "0", ({ told: result }) => {
      const before = this.#shown.agreement;
      this.#shown = { values: JSON.stringify(values), agreement: JSON.stringify(agreement(result)) };
      if (this.#shown.agreement !== before) this.#propose(result);
    });
  }

  /** Apply exactly what the preview showed. If a field has changed since, preview again, and apply if the result is the same. */
  async #agree(agreed) {
    const before = this.#shown.agreement;
    if (JSON.stringify(this.#values) !== this.#shown.values) await this.#preview();
    if (before === this.#shown.agreement && JSON.stringify(this.#values) === this.#shown.values) await this.#do({ ...this.#values, ...agreed });
  }

  async #do(values) {
    for (const button of this.#result.querySelectorAll("button")) button.disabled = true;
    await this.#send(values, "1", ({ told: result }) => {
      this.#entry.hidden = true;
      const another = { label: `${this.#form.title}…`, press: () => this.#context.router.replace(`#/forms/${this.#form.id}`) };
      this.#say(h("p", { className: "banner good" }, result.text), this.#details(result), this.#offers([...offersOf(this.#context, result.acts), another]));
    });
  }

  async #send(values, apply, then) {
    this.#requests += 1;
    const request = this.#requests;
    try {
      const answer = await this.#context.api.send(this.#form, { ...values, apply });
      if (request === this.#requests) then(answer);
    } catch (error) {
      if (request !== this.#requests) return;
      this.#shown = { values: "", agreement: "" };
      this.#say(h("p", { className: "banner", role: "alert" }, error.message));
    }
  }

  #propose(result) {
    const [confirm, text] = Object.entries(result.confirm)[0] ?? [];
    const button = h("button", { type: "button", className: "button primary danger" }, this.#form.verb);
    button.addEventListener("click", () => this.#agree(confirm ? { [confirm]: "1" } : {}));
    const box = h("input", { type: "checkbox" });
    box.addEventListener("change", (event) => {
      event.stopPropagation();
      button.disabled = !box.checked;
    });
    button.disabled = Boolean(confirm);
    this.#say(
      h("p", { className: "sentence" }, result.text),
      ...result.warnings.map((warning) => h("p", { className: "banner" }, warning)),
      this.#details(result),
      confirm ? h("label", { className: "check" }, box, h("span", null, text)) : null,
      result.is_possible ? h("footer", null, button) : null,
    );
  }

  #say(...parts) {
    this.#result.replaceChildren(...parts.filter((part) => part !== null));
    this.#result.hidden = false;
    this.#result.scrollIntoView({ block: "nearest" });
  }

  #details({ values, pictures, table }) {
    const list = h("dl", { className: "facts" });
    facts(list, valueRows(values));
    return h("div", { className: "stack" }, list, pictures.length ? h("div", { className: "pictures" }, ...pictures.map(picture)) : null, table && this.#table(table));
  }

  #table(content) {
    const table = tableOf(this.#context, content, "");
    table.query = {};
    showTable(table, content);
    return table.element;
  }

  #offers(offers) {
    const buttons = h("div", { className: "buttons" });
    showOffers(buttons, offers);
    return buttons;
  }

  #row(field) {
    const input = inputOf(field);
    this.#inputs.set(field.name, input);
    const label = h("label", { htmlFor: input.id }, field.label);
    const hint = field.hint ? h("span", { className: "soft", id: `${input.id}-hint` }, field.hint) : null;
    if (hint) input.setAttribute("aria-describedby", hint.id);
    return h("div", { className: "field" }, label, this.#control(field, input), hint);
  }

  #control(field, input) {
    if (field.kind === "area" && field.picture) return new AreaField(field, input).element;
    if (field.kind !== "since") return input;
    const shortcuts = Object.entries(AGO).map(([seconds, text]) => h("button", { type: "button", className: "button", onclick: () => back(input, Number(seconds)) }, text));
    return h("div", { className: "line" }, input, ...shortcuts);
  }
}

/** The part of a preview that the user agrees to. Its values may change by the second, such as the end of a ban. */
function agreement({ text, warnings, confirm, is_possible }) {
  return [text, warnings, confirm, is_possible];
}

function inputOf({ name, kind, choices }) {
  const id = `field-${name}`;
  if (kind === "choice") {
    const options = Object.entries(choices).map(([value, text]) => h("option", { value }, text));
    return /** @type {HTMLSelectElement} */ (h("select", { id, name }, ...options));
  }
  if (isMoment(kind)) return /** @type {HTMLInputElement} */ (h("input", { id, name, type: "datetime-local", step: "1" }));
  return /** @type {HTMLInputElement} */ (h("input", { id, name, type: "text", autocomplete: "off", spellcheck: false }));
}

function isMoment(kind) {
  return kind === "since" || kind === "until";
}

/** Fill in a field. A time keeps its exact value until the user changes it. */
function fill(input, kind, value) {
  if (kind === "choice" && ![...input.options].some((option) => option.value === value)) input.append(h("option", { value }, value));
  input.value = isMoment(kind) ? local(value) : value;
  input.dataset.exact = isMoment(kind) ? `${input.value} ${value}` : "";
  input.dispatchEvent(new Event("input"));
}

function read(input, kind) {
  if (!isMoment(kind) || input.value === "") return input.value.trim();
  const [shown, exact] = (input.dataset.exact ?? "").split(" ");
  return shown === input.value ? exact : String(new Date(input.value).getTime() / 1000);
}

/** Format seconds since 1970 in local time, for a `datetime-local` field. */
function local(value) {
  if (value === "") return "";
  const date = new Date(Number(value) * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function back(input, seconds) {
  input.value = local(String(Math.floor(Date.now() / 1000) - seconds));
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function picture({ title, source, width, height }) {
  return h("figure", null, h("figcaption", null, title), h("img", { src: source, alt: title, width, height }));
}
