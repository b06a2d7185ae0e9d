/**
 * What can be done to the system. Each is asked about first, and says afterwards what became of it.
 */
import { h } from "./dom.js";
import { plural } from "./format.js";

/**
 * What can be done to an actor: its name here -> which right it takes, what is sent, and how it is asked about.
 * @type {Record<string, {right: string, path: string, body?: object, verb: string, text: string, danger?: boolean}>}
 */
export const ON_ACTOR = {
  crash: {
    right: "exit",
    path: "exit",
    body: { reason: "crash" },
    verb: "Crash",
    text: "It ends as if an exception had struck it, and is among the crashes. Its supervisor decides whether it comes back.",
    danger: true,
  },
  restart: {
    right: "restart",
    path: "restart",
    verb: "Restart",
    text: "It ends, and its supervisor starts another in its place.",
  },
  shutdown: {
    right: "exit",
    path: "exit",
    body: { reason: "shutdown" },
    verb: "Shut down",
    text: "It is told to stop, and may tidy up. Only a permanent actor comes back.",
    danger: true,
  },
  kill: {
    right: "exit",
    path: "exit",
    body: { reason: "kill" },
    verb: "Kill",
    text: "It ends at once, and cannot tidy up.",
    danger: true,
  },
  suspend: {
    right: "suspend",
    path: "suspend",
    verb: "Suspend",
    text: "It handles nothing until it is resumed; its mailbox fills up meanwhile.",
  },
  resume: { right: "resume", path: "resume", verb: "Resume", text: "It handles what has come meanwhile." },
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
   * A button for something to be done to an actor; null if it may not be done.
   * @param {string} name of `ON_ACTOR`
   * @param {() => {ref: string, label: string}} actor which one, when it is pressed
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
      text: "Its client is told to go, with the close code 1008. It may come again.",
      verb: "Disconnect",
      danger: true,
    };
    return this.#do(question, () => this.#api.post(`connections/${encodeURIComponent(id)}/disconnect`), `Disconnected ${who}`);
  }

  /** @param {number} connections how many there are */
  drain(connections) {
    const question = {
      title: "Drain the server?",
      text: `Nobody new is let in, and ${plural(connections, "client is", "clients are")} told to go. Only a restart of the server lets people in again.`,
      verb: "Drain",
      danger: true,
    };
    return this.#do(question, () => this.#api.post("drain"), "The server drains");
  }

  /** @param {string} level */
  setLogLevel(level) {
    const question = { title: `Log from "${level}" on?`, text: "Until the server restarts.", verb: "Set level" };
    return this.#do(question, () => this.#api.post("log-level", { level }), `Logs from ${level} on`);
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
