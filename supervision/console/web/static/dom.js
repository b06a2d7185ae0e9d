/**
 * Elements without markup: every text is a text node, so a label can never become an element; and no character of it can
 * hide, or draw over its neighbours.
 */

import { visible } from "./visible.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Record<string, any>} Props `on…` is a listener, a name with a hyphen and `role` an attribute, `dataset` data,
 *   anything else a property
 */

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  const shown = children.filter((child) => child !== null);
  element.append(...shown.map((child) => (typeof child === "string" ? visible(child, isBlock(element)) : child)));
  return element;
}

/**
 * Make an SVG element; all of `attributes` are attributes.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Change a text, if it is another one: what is selected or read aloud stays.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const shown = visible(text, isBlock(element));
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Fill an element with one link, and keep the link that is there.
 * @param {HTMLElement} element
 * @param {string} href
 * @param {string} text
 */
export function setLink(element, href, text) {
  let link = element.firstElementChild;
  if (!(link instanceof HTMLAnchorElement)) {
    link = h("a");
    element.replaceChildren(link);
  }
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
  setText(link, text);
}

/**
 * Make the children of an element those of a list, and keep the elements of items that stay, with their focus.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => Element} make
 * @param {(element: any, item: T) => void} [update]
 */
export function reconcile(parent, items, keyOf, make, update = () => {}) {
  const active = /** @type {HTMLElement | null} */ (document.activeElement);
  const focused = parent.contains(active) ? active : null;
  const wanted = /** @type {Set<string | undefined>} */ (new Set(items.map(keyOf)));
  const kept = new Map();
  for (const child of /** @type {HTMLElement[]} */ ([...parent.children])) {
    if (wanted.has(child.dataset.key)) kept.set(child.dataset.key, child);
    else child.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const element = kept.get(key) ?? make(item);
    element.dataset.key = key;
    update(element, item);
    if (element === next) next = element.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/** Whether an element shows lines as lines. */
function isBlock(element) {
  return element.tagName === "PRE";
}

function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "role" || name.includes("-")) element.setAttribute(name, visible(String(value)));
  else if (name === "title" || name === "textContent") element[name] = visible(value);
  else element[name] = value;
}
