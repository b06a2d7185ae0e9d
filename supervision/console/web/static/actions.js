/**
 * The actions on the system. Each asks for confirmation first, and reports its result.
 */
import { h } from "./dom.js";
import { plural } from "./format.js";

/**
 * The actions on an actor: name -> the right it requires, its request, and its confirmation.
 * @type {Record<string, {right: string, path: string, body?: object, verb: string, text: string, danger?: boolean}>}
 */
export const ON_ACTOR = {
  crash: {
    right: "exit",
    path: "exit",
    body: { reason: "crash" },
    verb: "Crash",
    text: "It ends as if it had raised an exception, and appears among the crashes. Its supervisor decides whether to restart it.",
    danger: true,
  },
  restart: {
    right: "restart",
    path: "restart",
    verb: "Restart",
    text: "It ends, and its supervisor restarts it.",
  },
  shutdown: {
    right: "exit",
    path: "exit",
    body: { reason: "shutdown" },
    verb: "Shut down",
    text: "It receives the exit signal shutdown, and may clean up. Only a permanent actor is restarted.",
    danger: true,
  },
  kill: {
    right: "exit",
    path: "exit",
    body: { reason: "kill" },
    verb: "Kill",
    text: "It ends at once, and cannot clean up.",
    danger: true,
  },
  suspend: {
    right: "suspend",
    path: "suspend",
    verb: "Suspend",
    text: "It handles no messages until it is resumed; meanwhile its mailbox fills up.",
  },
  resume: { right: "resume", path: "resume", verb: "Resume", text: "It handles the messages that have arrived in the meantime." },
};

export class Actions {
  #api;
  #dialog;
  #toasts;
  #rights;

  /**
   * @param {{api: import("./api.js").Api, dialog: import("./dialog.js").Dialog, toasts: import("./shared/toast.js").Toasts,
   *   rights: string[]}} parts
   */
  constructor({ api, dialog, toasts, rights }) {
    this.#api = api;
    this.#dialog = dialog;
    this.#toasts = toasts;
    this.#rights = new Set(rights);
  }

  /** @param {string} right @returns {boolean} whether this session may do it */
  may(right) {
    return this.#rights.has(right);
  }

  /**
   * Create a button for an action on an actor; null if this session may not use the action.
   * @param {string} name of `ON_ACTOR`
   * @param {() => {ref: string, label: string}} actor returns the actor when the button is pressed
   * @param {(done: boolean) => void} [then]
   */
  button(name, actor, then = () => {}) {
    const { right, verb, danger } = ON_ACTOR[name];
    if (!this.may(right)) return null;
    const press = async () => then(await this.onActor(name, actor()));
    return h("button", { type: "button", className: `button${danger ? " danger" : ""}`, onclick: press }, verb);
  }

  /**
   * @param {string} name of `ON_ACTOR`
   * @param {{ref: string, label: string}} actor
   * @returns {Promise<boolean>} whether it was done
   */
  onActor(name, { ref, label }) {
    const { right, path, body, verb, text, danger } = ON_ACTOR[name];
    if (!this.may(right)) return Promise.resolve(false);
    const question = { title: `${verb} ${label} (${ref})?`, text, verb, danger };
    return this.#do(question, () => this.#api.post(`actors/${ref}/${path}`, body), `${verb}: ${label} (${ref})`);
  }

  /** @param {{id: string, user: string | null, name: string, peer: string}} connection */
  disconnect({ id, user, name, peer }) {
    const who = name || (user ?? peer);
    const question = {
      title: `Disconnect ${who}?`,
      text: "The server closes the connection with the code 1008. The client may reconnect.",
      verb: "Disconnect",
      danger: true,
    };
    return this.#do(question, () => this.#api.post(`connections/${encodeURIComponent(id)}/disconnect`), `Disconnected ${who}`);
  }

  /** @param {number} connections number of open connections */
  drain(connections) {
    const question = {
      title: "Drain the server?",
      text: `The server accepts no new connections, and closes ${plural(connections, "connection")}. Only a restart of the server ends this.`,
      verb: "Drain",
      danger: true,
    };
    return this.#do(question, () => this.#api.post("drain"), "The server is draining");
  }

  /** @param {string} level */
  setLogLevel(level) {
    const question = { title: `Set the log level to ${level}?`, text: "It applies until the server restarts.", verb: "Set level" };
    return this.#do(question, () => this.#api.post("log-level", { level }), `The log level is ${level}`);
  }

  async #do(question, send, success) {
    const answer = await this.#dialog.ask(question);
    if (answer === null) return false;
    try {
      await send(answer);
    } catch (error) {
      this.#toasts.say(`${question.verb}: ${error.message}`, "warning");
      return false;
    }
    this.#toasts.say(success);
    return true;
  }
}
