/**
 * All connections as a table.
 */
import { h, setLink } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";
import { column, PAGE, Table } from "../table.js";

const DEFAULTS = { sort: "age", order: "asc" };
/** No name of a server. */
const ALL = "*";
const NUMBER = { number: true };
const COLUMNS = [
  { name: "user", label: "User", wide: true, show: (row, cell) => setLink(cell, href(["connections", row.id]), row.user ?? row.label ?? row.id) },
  column("peer", "Address", ({ peer }) => peer, { extra: true }),
  column("server", "Server", ({ server }) => server, { rare: true }),
  column("state", "State", ({ state, congested }) => (congested ? `${state}, congested` : state), { extra: true }),
  column("age", "Age", ({ age }) => format.seconds(Math.floor(age)), { ...NUMBER, extra: true }),
  column("mailbox", "Mailbox", ({ mailbox }) => format.count(mailbox), { ...NUMBER, hint: "Messages that wait for its actor now" }),
  column("peak", "Peak", ({ peak }) => format.count(peak), { ...NUMBER, hint: "The longest that mailbox was at the beginning of a turn" }),
  column("backlog", "Backlog", ({ backlog }) => format.bytes(backlog), { ...NUMBER, hint: "What it has not taken yet" }),
  column("bytes_in", "In", ({ bytes_in }) => format.bytes(bytes_in), { ...NUMBER, extra: true }),
  column("bytes_out", "Out", ({ bytes_out }) => format.bytes(bytes_out), { ...NUMBER, extra: true }),
  column("round_trip", "Round trip", ({ round_trip }) => format.seconds(round_trip), { ...NUMBER, extra: true }),
  column("compressed", "Compressed", ({ compressed }) => (compressed ? "yes" : "no"), { rare: true }),
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
      h("select", { "aria-label": "Server" }, ...servers, h("option", { value: ALL }, "All, with those of consoles"))
    );
    this.#server.addEventListener("change", () => context.router.refine({ server: this.#server.value, offset: 0 }));
    this.#table = new Table({
      caption: "Connections",
      search: "User, address or label",
      empty: "Nobody is connected.",
      keyOf: ({ id }) => id,
      isLink: true,
      filters: [this.#server],
      columns: [...COLUMNS, ...this.#hands()],
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
    if (key !== "[" && key !== "]") return false;
    this.#table.turn(key === "]" ? 1 : -1);
    return true;
  }

  #hands() {
    const { actions } = this.#context;
    if (!actions.may("disconnect")) return [];
    const show = (row, cell) => cell.firstElementChild || cell.append(...hands(this.#context, () => row));
    return [{ name: "actions", label: "", sorts: false, extra: true, show }];
  }
}

/**
 * Buttons for what can be done to a connection.
 * @param {import("../app.js").Context} context
 * @param {() => any} row
 */
export function hands({ actions, refresh }, row) {
  const button = (text, act) => h("button", { type: "button", className: "button danger", onclick: async () => (await act(row())) && refresh() }, text);
  return [
    actions.may("disconnect") ? button("Disconnect", (it) => actions.disconnect(it)) : null,
    actions.may("ban") ? button("Ban", (it) => actions.ban(it)) : null,
  ].filter((each) => each !== null);
}
