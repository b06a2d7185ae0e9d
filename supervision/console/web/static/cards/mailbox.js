/**
 * The longest mailboxes: of all actors, and of the connections.
 */
import { h, reconcile, setLink, setText } from "../dom.js";
import { count } from "../format.js";
import { href, toActor } from "../router.js";

const ROWS = 3;
const QUIET = "No messages are waiting. The longest mailboxes so far:";
const NOTHING = "No messages have waited yet.";
const CONNECTIONS = "Of the connections";
const ACTORS = "Of all actors";
const PLACES = { [CONNECTIONS]: "connections", [ACTORS]: "actors" };

export class MailboxCard {
  element;

  #context;
  #notes = { [CONNECTIONS]: h("p", { className: "soft" }), [ACTORS]: h("p", { className: "soft" }) };
  #lists = { [CONNECTIONS]: h("ol"), [ACTORS]: h("ol") };

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    const of = Object.entries(this.#lists).flatMap(([title, list]) => {
      const all = h("a", { href: href([PLACES[title]], { sort: "mailbox", order: "desc" }) }, "All of them");
      return [h("h4", null, title, all), this.#notes[title], list];
    });
    this.element = h(
      "section",
      { className: "card panel", dataset: { testid: "mailbox-card" } },
      h("h3", null, "Longest mailboxes"),
      ...of,
    );
  }

  async refresh() {
    await Promise.all([
      this.#fill(CONNECTIONS, (sort) => this.#connections(sort), ({ id }) => href(["connections", id])),
      this.#fill(ACTORS, (sort) => this.#actors(sort), ({ ref }) => toActor(ref)),
    ]);
  }

  /** Show the longest mailboxes; when no messages are waiting, the longest so far. */
  async #fill(title, ask, hrefOf) {
    const isQuiet = this.#context.overview?.waiting === 0;
    const waiting = isQuiet ? [] : (await ask("mailbox")).filter(({ mailbox }) => mailbox > 0);
    const rows = waiting.length ? waiting : (await ask("peak")).filter(({ peak }) => peak > 0);
    const make = () => h("li", { className: "row" }, h("span", { className: "label" }), h("span", { className: "soft" }));
    this.#notes[title].hidden = waiting.length > 0;
    setText(this.#notes[title], rows.length ? QUIET : NOTHING);
    reconcile(this.#lists[title], rows, hrefOf, make, (row, item) => {
      setLink(row.firstElementChild, hrefOf(item), item.name || (item.user ?? item.label));
      setText(row.lastElementChild, `${item.mailbox ? `${count(item.mailbox)} waiting, ` : ""}peak ${count(item.peak)}`);
    });
  }

  /** Only the application's connections: the console's own would show the effect of viewing them. */
  async #connections(sort) {
    const { api, servers } = this.#context;
    const query = { sort, order: "desc", limit: ROWS };
    const pages = await Promise.all(servers.map((server) => api.get("connections", { ...query, server })));
    const rows = pages.flatMap(({ connections }) => connections);
    return rows.sort((one, other) => other[sort] - one[sort]).slice(0, ROWS);
  }

  async #actors(sort) {
    return (await this.#context.api.get("actors", { sort, order: "desc", limit: ROWS })).actors;
  }
}
