/**
 * Pure. The tree as rows: what is folded, what has just been started anew, and in which order siblings stand.
 *
 * A path of labels is what stays of an actor that is restarted; its number does not.
 *
 * @typedef {{ref: string, label: string, kind: string, state: string, restarts: number, mailbox: number, count: number,
 *   children: Node[]}} Node of the API
 * @typedef {{key: string, path: string, node: Node, level: number, isOpen: boolean, isFresh: boolean, position: number,
 *   size: number, hidden: number}} Row hidden: children that the server did not tell
 */
import { Fresh } from "./fresh.js";

/** Children that are shown of a node which nobody has unfolded. */
const FEW = 12;
/** Levels that are unfolded, unless somebody says otherwise. */
const DEEP = 3;
const MAX_ROWS = 400;

export class Growth {
  /** What was folded or unfolded by hand, by path. @type {Map<string, boolean>} */
  #folds = new Map();
  /** The place among its siblings that each path was first seen at. @type {Map<string, number>} */
  #places = new Map();
  #fresh = new Fresh();

  /**
   * @param {string[]} refs that were started in the place of others
   * @param {number} now
   */
  restarted(refs, now) {
    this.#fresh.add(refs, now);
  }

  /** @param {string} path @param {boolean} isOpen */
  fold(path, isOpen) {
    this.#folds.set(path, isOpen);
  }

  /**
   * The rows to be shown.
   * @param {Node} top
   * @param {number} now
   * @param {boolean} isSearch whatever was found is shown
   * @returns {{rows: Row[], isCut: boolean}}
   */
  rows(top, now, isSearch = false) {
    /** @type {Row[]} */
    const rows = [];
    const places = new Map();
    const add = (node, path, level, position, size) => {
      const isOpen = this.#isOpen(node, path, level, isSearch);
      const children = this.#ordered(node, path, places);
      const isFresh = isOpen ? this.#fresh.shows(node.ref, now) : this.#hasFresh(node, now);
      const hidden = node.count - node.children.length;
      if (rows.length < MAX_ROWS) rows.push({ key: path, path, node, level, isOpen, isFresh, position, size, hidden });
      if (!isOpen || rows.length >= MAX_ROWS) return;
      children.forEach(([child, key], index) => add(child, key, level + 1, index + 1, node.count));
    };
    add(top, top.label, 1, 1, 1);
    this.#places = places;
    return { rows, isCut: rows.length >= MAX_ROWS };
  }

  #isOpen(node, path, level, isSearch) {
    if (node.count === 0) return false;
    return this.#folds.get(path) ?? (isSearch || level === 1 || (level <= DEEP && node.count <= FEW));
  }

  /** Its children and their paths, those that were restarted where they were before. */
  #ordered(node, path, places) {
    const seen = new Map();
    const children = node.children.map((child) => {
      const same = seen.get(child.label) ?? 0; // labels need not be unique
      seen.set(child.label, same + 1);
      const key = `${path}/${child.label}${same ? `/${same}` : ""}`;
      places.set(key, this.#places.get(key) ?? Number(child.ref));
      return [child, key];
    });
    return children.sort(([, one], [, other]) => places.get(one) - places.get(other));
  }

  #hasFresh(node, now) {
    return this.#fresh.shows(node.ref, now) || node.children.some((child) => this.#hasFresh(child, now));
  }
}
