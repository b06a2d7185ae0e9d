/**
 * Something that the application lets people do: they fill in a form, are told what would happen, and have it done.
 */
import { offersOf, showOffers } from "../acts.js";
import { AreaField } from "../area.js";
import { h } from "../dom.js";
import { facts, told as toldFacts } from "../facts.js";
import { showTable, tableOf } from "./page.js";

/** Seconds -> how long ago that is. */
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
  /** What the address says is still to be asked. */
  #isWanted = false;
  /** Counts what was asked: only the last answer is shown. */
  #asked = 0;
  /** The values that were asked about last, and what one agrees to; each as JSON. */
  #shown = { values: "", told: "" };

  /** @param {import("../app.js").Context} context @param {any} form */
  constructor(context, form) {
    this.#context = context;
    this.#form = form;
    this.title = form.title;
    this.#fields.append(
      ...form.fields.map((field) => this.#row(field)),
      h("footer", null, h("button", { className: "button primary" }, "Show what would happen")),
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
    this.#asked += 1;
    this.#shown = { values: "", told: "" };
    this.#entry.hidden = false;
    this.#result.hidden = true;
    this.#isWanted = Object.keys(query).length > 0;
  }

  /** It changes when somebody does something, not by itself. */
  async refresh() {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    await this.#preview();
  }

  get #values() {
    return Object.fromEntries(this.#form.fields.map(({ name, kind }) => [name, read(this.#inputs.get(name), kind)]));
  }

  /** What has not changed stays as it is: somebody may be about to press its button. */
  async #preview() {
    const values = this.#values;
    await this.#send(values, "0", ({ told }) => {
      const before = this.#shown.told;
      this.#shown = { values: JSON.stringify(values), told: JSON.stringify(agreement(told)) };
      if (this.#shown.told !== before) this.#propose(told);
    });
  }

  /** What is done is what was told: if a field has changed since, that is told first, and done if it is still the same. */
  async #agree(agreed) {
    const before = this.#shown.told;
    if (JSON.stringify(this.#values) !== this.#shown.values) await this.#preview();
    if (before === this.#shown.told && JSON.stringify(this.#values) === this.#shown.values) await this.#do({ ...this.#values, ...agreed });
  }

  async #do(values) {
    for (const button of this.#result.querySelectorAll("button")) button.disabled = true;
    await this.#send(values, "1", ({ told }) => {
      this.#entry.hidden = true;
      const another = { label: `${this.#form.title}…`, press: () => this.#context.router.replace(`#/forms/${this.#form.id}`) };
      this.#say(h("p", { className: "banner good" }, told.text), this.#details(told), this.#offers([...offersOf(this.#context, told.acts), another]));
    });
  }

  async #send(values, apply, then) {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const answer = await this.#context.api.send(this.#form, { ...values, apply });
      if (asked === this.#asked) then(answer);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#shown = { values: "", told: "" };
      this.#say(h("p", { className: "banner", role: "alert" }, error.message));
    }
  }

  #propose(told) {
    const [confirm, text] = Object.entries(told.confirm)[0] ?? [];
    const button = h("button", { type: "button", className: "button primary danger" }, this.#form.verb);
    button.addEventListener("click", () => this.#agree(confirm ? { [confirm]: "1" } : {}));
    const box = h("input", { type: "checkbox" });
    box.addEventListener("change", (event) => {
      event.stopPropagation();
      button.disabled = !box.checked;
    });
    button.disabled = Boolean(confirm);
    this.#say(
      h("p", { className: "sentence" }, told.text),
      ...told.warnings.map((warning) => h("p", { className: "banner" }, warning)),
      this.#details(told),
      confirm ? h("label", { className: "check" }, box, h("span", null, text)) : null,
      told.is_possible ? h("footer", null, button) : null,
    );
  }

  #say(...parts) {
    this.#result.replaceChildren(...parts.filter((part) => part !== null));
    this.#result.hidden = false;
    this.#result.scrollIntoView({ block: "nearest" });
  }

  #details({ values, pictures, table }) {
    const list = h("dl", { className: "facts" });
    facts(list, toldFacts(values));
    return h("div", { className: "stack" }, list, pictures.length ? h("div", { className: "pictures" }, ...pictures.map(picture)) : null, table && this.#table(table));
  }

  #table(told) {
    const table = tableOf(this.#context, told, "");
    table.query = {};
    showTable(table, told);
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

/** What somebody agrees to; the values, such as when a ban ends, may change by the second. */
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

/** A moment is kept as exactly as it was given until somebody changes it. */
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

/** Seconds since 1970 as such a field has them: in local time. */
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
