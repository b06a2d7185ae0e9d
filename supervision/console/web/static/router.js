/**
 * The route is in the address's fragment: `#/actors/12`, `#/actors?sort=mailbox&order=desc`.
 *
 * @typedef {{path: string[], query: Record<string, string>}} Route
 */

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(query ?? "")),
  };
}

/**
 * The address of a route, for links.
 * @param {string[]} path
 * @param {Record<string, string | number>} [query] empty values are omitted
 * @returns {string}
 */
export function href(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== 0);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** @param {string} ref @returns {string} the address of an actor */
export function toActor(ref) {
  return href(["actors", ref]);
}

export class Router {
  /** @type {(route: Route) => void} */
  onroute = () => {};

  constructor() {
    addEventListener("hashchange", () => this.onroute(this.route));
  }

  get route() {
    return parse(location.hash);
  }

  /** @param {string} address */
  go(address) {
    location.hash = address;
  }

  /**
   * Change the query of the current route.
   * @param {Record<string, string | number>} changes
   */
  refine(changes) {
    const { path, query } = this.route;
    this.replace(href(path, { ...query, ...changes }));
  }

  /** Go to an address without adding to the history. @param {string} address */
  replace(address) {
    history.replaceState(null, "", address);
    this.onroute(this.route);
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
