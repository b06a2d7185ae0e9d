/**
 * One actor: its details and actions. After a restart the page shows its successor.
 */
import { ON_ACTOR } from "../actions.js";
import { h, reconcile, setText } from "../dom.js";
import { facts, peers } from "../facts.js";
import * as format from "../format.js";
import { href, toActor } from "../router.js";
import { StatePanel } from "./state.js";
import { TracePanel } from "./trace.js";

/** Maximum number of children in the list. */
const CHILDREN = 50;
const KEYS = { c: "crash", r: "restart" };

export class ActorView {
  element;
  title = "Actor";

  #context;
  #ref;
  /** @type {any} */
  #actor = null;
  #ended = false;
  #path = h("p", { className: "soft path" });
  #heading = h("h2");
  #pills = h("span", { className: "pills" });
  #note = h("p", { className: "banner good", role: "status", hidden: true, dataset: { testid: "fate" } });
  #facts = h("dl", { className: "facts wide" });
  #spec = h("dl", { className: "facts" });
  #peers = new Map(["Children", "Links", "Monitors", "Monitored by"].map((title) => [title, h("ul")]));
  #buttons = h("div", { className: "buttons" });
  #state;
  #trace;

  /** @param {import("../app.js").Context} context @param {string} ref */
  constructor(context, ref) {
    this.#context = context;
    this.#ref = ref;
    this.#state = context.actions.may("state") ? new StatePanel(context, ref) : null;
    this.#trace = context.actions.may("trace") ? new TracePanel(context, ref) : null;
    const target = () => ({ ref: this.#ref, label: this.#actor?.label ?? "" });
    const buttons = Object.keys(ON_ACTOR).map((name) => context.actions.button(name, target, (done) => done && this.#acted(name)));
    this.#buttons.append(...buttons.filter((button) => button !== null));
    this.element = h(
      "div",
      { className: "stack" },
      this.#note,
      h("section", { className: "panel padded" }, this.#path, h("header", null, this.#heading, this.#pills), this.#buttons, this.#facts),
      h("div", { className: "pair" }, this.#titled("Child specification", this.#spec), ...this.#lists()),
      ...[this.#state, this.#trace].filter((panel) => panel !== null).map(({ element }) => element),
    );
  }

  async refresh() {
    if (this.#ended) return;
    const { api } = this.#context;
    const ref = this.#ref;
    const [details, tree] = await Promise.all([
      api.get(`actors/${encodeURIComponent(ref)}`),
      api.get("tree", { ref, depth: 1, limit: CHILDREN }),
    ]).catch((error) => this.#missed(error, ref));
    if (ref !== this.#ref || !details) return;
    this.#actor = details.actor;
    this.title = details.actor.label;
    this.#show(details);
    this.#showPeers(details, tree.children);
  }

  changed(message) {
    if (message.type === "trace") this.#trace?.receive(message);
    if (message.type !== "live") return;
    if (message.ended.includes(this.#ref)) this.#end();
    const successor = this.#actor && message.started.find((row) => this.#isSuccessor(row));
    if (successor) this.#follow(successor);
  }

  /** @param {KeyboardEvent} event */
  key({ key }) {
    if (key in KEYS && this.#actor) void this.#context.actions.onActor(KEYS[key], this.#actor);
    else if (key === "s") this.#state?.ask();
    else if (key === "t") this.#trace?.begin();
    else if (key === "u" && this.#actor?.parent) this.#context.router.go(toActor(this.#actor.parent));
    else return false;
    return true;
  }

  /** The actor may have ended before the WebSocket reported it. */
  #missed(error, ref) {
    if (error.status !== 404 || !this.#actor) throw error;
    if (ref === this.#ref) this.#end();
    return [];
  }

  /** Refresh after an action, unless it ends the actor: the WebSocket reports that. */
  #acted(name) {
    if (name === "suspend" || name === "resume") this.#context.refresh();
  }

  #end() {
    this.#ended = true;
    this.#say(`${this.#actor?.label ?? "This actor"} (${this.#ref}) has ended. Its last known details follow.`, false);
    this.element.classList.add("ended");
    this.#buttons.hidden = true;
  }

  /** Compares no parents: the supervisor may have been restarted too, under another number. */
  #isSuccessor({ label, kind, restarts }) {
    const it = this.#actor;
    return this.#ended && label === it.label && kind === it.kind && restarts > it.restarts;
  }

  #follow({ ref, label, restarts }) {
    const before = this.#ref;
    this.#ref = ref;
    this.#ended = false;
    this.#buttons.hidden = false;
    this.element.classList.remove("ended");
    this.#state?.follow(ref);
    this.#trace?.follow(ref);
    this.#context.follow(["actors", ref]);
    this.#say(`${label} (${before}) has ended and came back as ${ref}: ${format.plural(restarts, "restart")} so far.`, true);
    this.#heading.classList.remove("fresh");
    requestAnimationFrame(() => this.#heading.classList.add("fresh"));
    this.#context.refresh();
  }

  #say(text, isGood) {
    this.#note.hidden = false;
    this.#note.classList.toggle("good", isGood);
    setText(this.#note, text);
  }

  #show(details) {
    const { actor, spec } = details;
    setText(this.#path, details.path.slice(0, -1).join(" › "));
    setText(this.#heading, actor.label);
    const pills = [actor.kind, actor.state, ...(actor.restarts ? [`↻ ${format.plural(actor.restarts, "restart")}`] : [])];
    reconcile(this.#pills, pills, (text) => text, (text) => h("span", { className: "pill" }, text));
    for (const button of /** @type {Iterable<HTMLButtonElement>} */ (this.#buttons.children)) {
      const isResume = button.textContent === ON_ACTOR.resume.verb;
      const isSuspended = actor.state === "suspended";
      if (isResume || button.textContent === ON_ACTOR.suspend.verb) button.hidden = isResume !== isSuspended;
      else button.disabled = details.is_root;
    }
    facts(this.#facts, rows(details));
    facts(this.#spec, spec ? specified(spec) : [["None", "no supervisor started this actor"]]);
  }

  #showPeers(details, children) {
    const lists = { Children: children, Links: details.links, Monitors: details.monitors, "Monitored by": details.monitored_by };
    for (const [title, list] of Object.entries(lists)) {
      const element = /** @type {HTMLElement} */ (this.#peers.get(title));
      peers(element, list, toActor);
      /** @type {HTMLElement} */ (element.parentElement).hidden = list.length === 0;
    }
    const heading = /** @type {Element} */ (this.#peers.get("Children")?.previousElementSibling);
    const shown = children.length < details.children ? `${format.count(children.length)} of ${format.count(details.children)}` : format.count(children.length);
    setText(heading, `Children (${shown})`);
  }

  #lists() {
    return [...this.#peers].map(([title, list]) => this.#titled(title, list));
  }

  #titled(title, content) {
    return h("section", { className: "panel padded" }, h("h3", null, title), content);
  }
}

/** @returns {[string, string, string?][]} */
function rows({ actor, path, name, keys, trap_exit, message, connection }) {
  /** @type {[string, string, string?][]} */
  const all = [
    ["Number", actor.ref],
    ["Name", name ?? ""],
    ["Supervisor", actor.parent ? `${path.at(-2)} (${actor.parent})` : "", actor.parent ? toActor(actor.parent) : ""],
    ["Connection", connection ?? "", connection ? href(["connections", connection]) : ""],
    ["Holds", keys.join(", ")],
    ["Mailbox", `${format.count(actor.mailbox)} waiting, at most ${format.count(actor.peak)}`],
    ["Handled", `${format.count(actor.handled)}, ${format.count(actor.recent)} recently`],
    ["Time used", `${format.seconds(actor.used)} since measuring began, ${format.seconds(actor.recently_used)} recently`],
    ["Memory", `about ${format.bytes(actor.memory)}`],
    ["Handling", message ?? ""],
    ["Traps exits", trap_exit ? "yes" : "no"],
  ];
  return all.filter(([, value]) => value !== "");
}

/** @returns {[string, string][]} */
function specified({ id, start, restart, shutdown, type, significant, budget, backoff }) {
  return [
    ["Id", id],
    ["Runs", start],
    ["Restart", restart],
    ["Shutdown", /^[\d.]+$/.test(shutdown) ? `${shutdown} s` : shutdown],
    ["Type", significant ? `${type}, significant` : type],
    ["Own budget", budget ?? "none"],
    ["Back-off", backoff ?? "none"],
  ];
}
