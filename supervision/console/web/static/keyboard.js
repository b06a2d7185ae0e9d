/**
 * Keyboard navigation: numbers open views, arrows move between rows, and `?` lists all keys.
 */
import { h } from "./dom.js";

/** @type {[string, [string, string][]][]} */
const KEYS = [
  ["Everywhere", [
    ["1 … 9", "The views, in the order of the list"],
    ["/", "Search"],
    ["p", "Pause or resume the updates"],
    ["Esc", "Leave the search; go back"],
    ["?", "This help"],
  ]],
  ["Lists", [
    ["↓ ↑", "Next, previous row (j, k)"],
    ["Enter", "Open"],
    ["[ ]", "Previous, next page"],
  ]],
  ["Tree", [
    ["→ ←", "Unfold, fold; go to the parent"],
    ["Home End", "First, last"],
    ["c", "Crash it (asks first)"],
  ]],
  ["Actor", [
    ["c r", "Crash, restart (both ask first)"],
    ["s t", "Show the state; start a trace"],
    ["u", "Go to the supervisor"],
  ]],
];

export class Keyboard {
  #app;
  #help = /** @type {HTMLDialogElement} */ (document.getElementById("help"));

  /**
   * @param {{view: () => import("./app.js").View | null, open: (index: number) => void, pause: () => void, back: () => void}} app
   */
  constructor(app) {
    this.#app = app;
    /** @type {Element} */ (this.#help.querySelector(".columns")).append(...KEYS.map(section));
    addEventListener("keydown", (event) => this.#pressed(event));
  }

  help() {
    this.#help.showModal();
  }

  #pressed(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("input, select, textarea")) {
      if (key === "Escape") target.blur();
      return;
    }
    if (this.#app.view()?.key?.(event) || this.#general(key, target)) event.preventDefault();
  }

  #general(key, target) {
    if (key >= "1" && key <= "9") this.#app.open(Number(key) - 1);
    else if (key === "?") this.help();
    else if (key === "/") this.#app.view()?.focusSearch?.();
    else if (key === "p") this.#app.pause();
    else if (key === "Escape") this.#app.back();
    else if (key === "ArrowDown" || key === "j") return step(target, 1);
    else if (key === "ArrowUp" || key === "k") return step(target, -1);
    else return false;
    return true;
  }
}

/** Focus the first link of the next or previous row. */
function step(target, by) {
  const links = [...document.querySelectorAll("main tbody tr, main li.row")].flatMap((row) => row.querySelector("a") ?? []);
  if (links.length === 0) return false;
  const index = links.findIndex((link) => link.closest("tr, li")?.contains(target));
  const next = links[index < 0 ? 0 : Math.max(0, Math.min(links.length - 1, index + by))];
  next.focus();
  return true;
}

function section([title, keys]) {
  const rows = keys.flatMap(([names, about]) => [
    h("dt", null, ...names.split(" ").map((name) => (name === "…" ? " … " : h("kbd", null, name)))),
    h("dd", null, about),
  ]);
  return h("section", null, h("h3", null, title), h("dl", null, ...rows));
}
