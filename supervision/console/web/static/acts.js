/**
 * The actions that the application offers on something: links to its forms, with values filled in.
 *
 * @typedef {{form: string, label: string, values: Record<string, string>}} Act
 * @typedef {{label: string, href?: string, press?: () => void}} Offer a link, or a button
 */
import { h, reconcile } from "./dom.js";
import { href } from "./router.js";

/** Maximum number of offers side by side in a row; more would crowd out the other columns. */
const MANY = 2;

/**
 * Return the offers that this session may use.
 * @param {import("./app.js").Context} context
 * @param {Act[] | undefined} acts
 * @returns {Offer[]}
 */
export function offersOf({ forms }, acts = []) {
  return acts.filter(({ form }) => forms.has(form)).map(({ form, label, values }) => ({ label, href: href(["forms", form], values) }));
}

/**
 * Show offers side by side.
 * @param {Element} parent
 * @param {Offer[]} offers
 */
export function showOffers(parent, offers) {
  reconcile(parent, offers, ({ label }) => label, made, (element, offer) => {
    element.offer = offer;
    if (offer.href) element.setAttribute("href", offer.href);
  });
}

/**
 * Show offers in a table cell: side by side, or behind one button on a phone or if there are many.
 * @param {HTMLElement} cell
 * @param {Offer[]} offers
 * @param {string} title the target of the offers
 * @param {import("./dialog.js").Dialog} dialog
 */
export function showOffersOfRow(cell, offers, title, dialog) {
  if (!cell.firstElementChild) {
    const more = h("button", { type: "button", className: "button more", "aria-haspopup": "dialog" }, "⋯");
    more.addEventListener("click", () => dialog.offer(/** @type {any} */ (cell).about, /** @type {any} */ (cell).offers));
    cell.append(h("div", { className: "offers" }), more);
  }
  const [side, more] = /** @type {Iterable<HTMLElement>} */ (cell.children);
  Object.assign(cell, { offers, about: title });
  cell.classList.toggle("many", offers.length > MANY);
  more.setAttribute("aria-label", `Actions for ${title}`);
  more.hidden = offers.length === 0;
  showOffers(side, offers);
}

/** @param {Offer} offer */
function made({ label, href: address }) {
  if (address) return h("a", { className: "button", href: address }, label);
  const button = h("button", { type: "button", className: "button" }, label);
  button.addEventListener("click", () => /** @type {any} */ (button).offer.press());
  return button;
}
