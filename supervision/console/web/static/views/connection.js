/**
 * One connection.
 */
import { showOffers } from "../acts.js";
import { h, setText } from "../dom.js";
import { facts } from "../facts.js";
import * as format from "../format.js";
import { toActor } from "../router.js";
import { offersOfConnection, titleOf } from "./connections.js";

export class ConnectionView {
  element;
  title = "Connection";

  #context;
  #id;
  #heading = h("h2");
  #buttons = h("div", { className: "buttons" });
  #facts = h("dl", { className: "facts wide" });

  /** @param {import("../app.js").Context} context @param {string} id */
  constructor(context, id) {
    this.#context = context;
    this.#id = id;
    this.element = h("section", { className: "panel padded" }, h("header", null, this.#heading, this.#buttons), this.#facts);
  }

  async refresh() {
    const row = await this.#context.api.get(`connections/${encodeURIComponent(this.#id)}`);
    this.title = titleOf(row);
    showOffers(this.#buttons, offersOfConnection(this.#context, row));
    setText(this.#heading, this.title);
    facts(this.#facts, [
      ["Actor", row.actor === null ? "none: it waits to be adopted" : row.label, row.actor === null ? "" : toActor(row.actor)],
      ["Name", row.name || "none"],
      ["User", row.user ?? "none"],
      ["Address", row.peer],
      ["Server", row.server],
      ["State", row.state],
      ["Age", format.seconds(Math.floor(row.age))],
      ["Mailbox", `${format.count(row.mailbox)}, at most ${format.count(row.peak)}`],
      ["Received", format.bytes(row.bytes_in)],
      ["Sent", format.bytes(row.bytes_out)],
      ["Backlog", `${format.bytes(row.backlog)}${row.congested ? ", congested: the client reads too slowly" : ""}`],
      ["Round trip", format.seconds(row.round_trip)],
      ["Compression", row.compressed ? "yes" : "no"],
    ]);
  }
}
