/**
 * All connections as a table.
 */
import { offersOf, showOffersOfRow } from "../acts.js";
import { h, setLink } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";
import { column, PAGE, Table } from "../table.js";

const DEFAULTS = { sort: "age", order: "asc" };
/** Not the name of a server. */
const ALL = "*";
const NUMBER = { number: true };
const COLUMNS = [
  { name: "name", label: "Name", show: (row, cell) => setLink(cell, href(["connections", row.id]), row.name || (row.user ?? (row.label || row.id))) },
  column("user", "User", ({ user }) => user ?? ""),
  column("peer", "Address", ({ peer }) => peer),
  column("server", "Server", ({ server }) => server),
  column("state", "State", ({ state, congested }) => (congested ? `${state}, congested` : state)),
  column("age", "Age", ({ age }) => format.seconds(Math.floor(age)), { ...NUMBER }),
  column("mailbox", "Mailbox", ({ mailbox }) => format.count(mailbox), { ...NUMBER, hint: "Messages in its actor's mailbox now" }),
  column("peak", "Peak", ({ peak }) => format.count(peak), { ...NUMBER, hint: "The longest that mailbox has been at the beginning of a turn" }),
  column("backlog", "Backlog", ({ backlog }) => format.bytes(backlog), { ...NUMBER, hint: "Bytes that the client has not read yet" }),
  column("bytes_in", "In", ({ bytes_in }) => format.bytes(bytes_in), { ...NUMBER }),
  column("bytes_out", "Out", ({ bytes_out }) => format.bytes(bytes_out), { ...NUMBER }),
  column("round_trip", "Round trip", ({ round_trip }) => format.seconds(round_trip), { ...NUMBER, hint: "Measured by pings; the first is sent about 20 seconds after the client connects" }),
  column("compressed", "Compressed", ({ compressed }) => (compressed ? "yes" : "no")),
];

export class ConnectionsView {
  element;
  title = "Connections";

  #context;
  #query = /** @type {Record<string, string>} */ ({});
  #table;
  #server;

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    const servers = context.servers.map((name) => h("option", { value: name }, `Clients of ${name}`));
    this.#server = /** @type {HTMLSelectElement} */ (
      h("select", { "aria-label": "Server" }, ...servers, h("option", { value: ALL }, "All, including the console's"))
    );
    this.#server.addEventListener("change", () => context.router.refine({ server: this.#server.value, offset: 0 }));
    this.#table = new Table({
      caption: "Connections",
      search: "Name, id, address or label",
      empty: "There are no connections.",
      keyOf: ({ id }) => id,
      isLink: true,
      filters: [this.#server],
      columns: [...COLUMNS, this.#acts()],
    });
    this.#table.onquery = (changes) => context.router.refine(changes);
    this.element = this.#table.element;
  }

  /** @param {Record<string, string>} query */
  set query(query) {
    this.#query = { ...DEFAULTS, server: this.#context.servers[0] ?? ALL, ...query };
    this.#server.value = this.#query.server;
    this.#table.query = this.#query;
  }

  async refresh() {
    const { sort, order, q = "", server, offset = 0 } = this.#query;
    const page = await this.#context.api.get("connections", { sort, order, q, server: server === ALL ? "" : server, offset, limit: PAGE });
    this.#table.show(page.connections, page.total);
  }

  focusSearch() {
    this.#table.focusSearch();
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    return this.#table.key(key);
  }

  #acts() {
    const show = (row, cell) => showOffersOfRow(cell, offersOfConnection(this.#context, row), titleOf(row), this.#context.dialog);
    return { name: "acts", label: "", sorts: false, acts: true, show };
  }
}

/** @param {any} row of a connection @returns {string} the client's name */
export function titleOf({ name, user, peer }) {
  return name ? `${name} (${user})` : (user ?? peer);
}

/**
 * The actions on a connection.
 * @param {import("../app.js").Context} context
 * @param {any} row
 * @returns {import("../acts.js").Offer[]}
 */
export function offersOfConnection(context, row) {
  const { actions, refresh } = context;
  const disconnect = { label: "Disconnect…", press: async () => (await actions.disconnect(row)) && refresh() };
  return [...offersOf(context, row.acts), ...(actions.may("disconnect") ? [disconnect] : [])];
}
