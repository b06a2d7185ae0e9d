/**
 * Pure. The tree as rows: which nodes are folded, which were just restarted, and the order of siblings.
 *
 * Nodes are identified by a path of labels, which survives a restart; the number of an actor does not.
 *
 * @typedef {{ref: string, label: string, kind: string, state: string, restarts: number, mailbox: number, count: number,
 *   children: Node[]}} Node of the API
 * @typedef {{key: string, path: string, node: Node, level: number, isOpen: boolean, isFresh: boolean, position: number,
 *   size: number, hidden: number}} Row hidden: number of children that the server omitted
 */
import { Fresh } from "./fresh.js";

/** Maximum number of children of a node that is unfolded by default. */
const FEW = 12;
/** Levels that are unfolded by default. */
const DEEP = 3;
const MAX_ROWS = 400;

export class Growth {
  /** Path -> whether the user unfolded it. @type {Map<string, boolean>} */
  #folds = new Map();
  /** Path -> its sort key among its siblings, from when it was first seen. @type {Map<string, number>} */
  #places = new Map();
  #fresh = new Fresh();

  /**
   * @param {string[]} refs actors that were restarted
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
   * Return the rows to show.
   * @param {Node} top
   * @param {number} now
   * @param {boolean} isSearch unfold every node, so that all matches are visible
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

  /** Return the children with their paths, in order; a restarted actor keeps its position. */
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
