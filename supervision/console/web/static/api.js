/**
 * The client of the server's API.
 */

/** Relative to the page's address. */
export const ROOT = "api/v1/";

/** The server refused a request, or could not be reached; the message gives the reason. */
export class Refused extends Error {
  /** @param {number} status the HTTP status; 0 without a response @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Api {
  /** Called when the session has ended. */
  onlogout = () => {};

  /**
   * @param {string} path
   * @param {Record<string, string | number>} [query] empty values are omitted
   * @returns {Promise<any>}
   */
  get(path, query = {}) {
    const text = parameters(query);
    return this.#ask("GET", text ? `${path}?${text}` : path);
  }

  /** @param {string} path @param {object} [body] @returns {Promise<any>} */
  post(path, body) {
    return this.#ask("POST", path, body);
  }

  /** @param {string} path @returns {Promise<any>} */
  delete(path) {
    return this.#ask("DELETE", path);
  }

  /**
   * Send a form.
   * @param {{method: string, path: string}} form
   * @param {Record<string, string>} query empty values are omitted
   * @returns {Promise<any>}
   */
  send({ method, path }, query) {
    return this.#ask(method, `${path}?${parameters(query)}`);
  }

  async #ask(method, path, body) {
    const [response, answer] = await fetched(ROOT + path, { method, body: body && JSON.stringify(body) });
    if (response.status === 401) this.onlogout();
    if (!response.ok) throw new Refused(response.status, answer.error);
    return answer;
  }
}

function parameters(query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

async function fetched(path, options) {
  try {
    const response = await fetch(path, options);
    return [response, await response.json()];
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
}
