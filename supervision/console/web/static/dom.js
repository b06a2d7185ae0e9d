/**
 * Builds elements without markup: every text becomes a text node, so a label can never become an element, and none of its
 * characters can hide or draw over its neighbours.
 */

import { visible } from "./visible.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Record<string, any>} Props `on…` is a listener, `role` and names with a hyphen are attributes, `dataset` is
 *   data, all others are properties
 */

/**
 * Create an element.
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
 * Create an SVG element.
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
 * Set a text, unless it is the same: this keeps the selection, and a screen reader's place.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const shown = visible(text, isBlock(element));
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Fill an element with one link. Updates an existing link in place.
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
 * Render a list as the children of an element. Elements of items that stay are kept, with their focus.
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

/** Whether an element preserves line breaks. */
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
