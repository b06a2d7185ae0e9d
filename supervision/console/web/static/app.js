/**
 * The console: who looks, where, and what they see of it.
 */
import { Actions } from "./actions.js";
import { Api, Refused } from "./api.js";
import { Dialog } from "./dialog.js";
import { h, setText } from "./dom.js";
import { Keyboard } from "./keyboard.js";
import { Live } from "./live.js";
import { Pace } from "./pace.js";
import { href, Router } from "./router.js";
import { Status } from "./status.js";
import { Toasts } from "./toast.js";
import { visible } from "./visible.js";
import { ActorView } from "./views/actor.js";
import { ActorsView } from "./views/actors.js";
import { ConnectionView } from "./views/connection.js";
import { ConnectionsView } from "./views/connections.js";
import { CrashView } from "./views/crash.js";
import { CrashesView } from "./views/crashes.js";
import { FormView } from "./views/form.js";
import { NamesView } from "./views/names.js";
import { OverviewView } from "./views/overview.js";
import { PageView } from "./views/page.js";
import { StoreView } from "./views/store.js";
import { TopicsView } from "./views/topics.js";
import { TreeView } from "./views/tree.js";

/** Milliseconds between two looks at most. */
const INTERVAL = 2000;

/** Name in the address -> title, view of all, view of one. */
const VIEWS = {
  overview: ["Overview", OverviewView],
  tree: ["Tree", TreeView],
  actors: ["Actors", ActorsView, ActorView],
  connections: ["Connections", ConnectionsView, ConnectionView],
  names: ["Names", NamesView],
  topics: ["Topics", TopicsView],
  crashes: ["Crashes", CrashesView, CrashView],
  store: ["Store", StoreView],
};

/**
 * What every view is given. `servers` are those of the application, `forms` what it lets this session do, `overview` is the last one that the server told, `refresh` looks again at once,
 * `hurry` as soon as that does not cost the server much; `follow` says that the view has moved on by itself.
 * @typedef {{api: Api, actions: Actions, dialog: Dialog, forms: Map<string, any>, router: Router, toasts: Toasts, overview: any, refresh: () => void,
 *   servers: string[], hurry: () => void, follow: (path: string[]) => void}} Context
 *
 * A view. `query` is what the address says, `changed` hears what the server tells by itself, `key` says whether a key was
 * one of its own.
 * @typedef {{element: HTMLElement, title: string, refresh: () => Promise<void>, query?: Record<string, string>,
 *   changed?: (message: any) => void, key?: (event: KeyboardEvent) => boolean, focusSearch?: () => void}} View
 */

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class App {
  #main = /** @type {HTMLElement} */ (document.getElementById("view"));
  #notice = /** @type {HTMLElement} */ (document.getElementById("notice"));
  /** Addresses and links of the views. @type {Map<string, HTMLElement>} */
  #links = new Map();
  #live;
  #status;
  /** @type {Context} */
  #context;
  /** @type {View | null} */
  #view = null;
  /** @type {Pace | null} */
  #pace = null;
  #place = "";
  /** What is shown first: moderators come for the pages of the application. */
  #home = ["overview"];
  #paused = false;
  #wasLost = false;
  /** Views that were shown: before the first one lies what is not ours. */
  #mounted = 0;

  /**
   * @param {Api} api
   * @param {any} session
   * @param {{id: string, title: string}[]} pages of the application
   */
  constructor(api, session, pages) {
    const toasts = new Toasts(element("toasts"));
    const router = new Router();
    const dialog = new Dialog();
    const actions = new Actions({ api, toasts, dialog, rights: session.actions });
    const forms = new Map(session.forms.map((form) => [form.id, form]));
    const refresh = () => void this.#pace?.now();
    const hurry = () => this.#pace?.tick(true);
    const follow = (path) => this.#follow(path);
    this.#context = { api, actions, dialog, forms, router, toasts, servers: session.servers, overview: null, refresh, hurry, follow };
    this.#live = new Live(api);
    this.#status = new Status(() => this.#live.retry());
    const keyboard = new Keyboard({
      view: () => this.#view,
      open: (index) => [...this.#links.values()][index]?.click(),
      pause: () => this.#pause(),
      back: () => this.#mounted > 1 && history.back(),
    });
    element("help-button").addEventListener("click", () => keyboard.help());
    element("status").addEventListener("click", () => this.#pause());
    this.#introduce(session);
    this.#list(session.application, pages);
    if (session.access === "moderate" && pages.length) this.#home = ["pages", pages[0].id];
    router.onroute = (route) => this.#show(route);
    this.#show(router.route);
    this.#live.onmessage = (message) => this.#heard(message);
    this.#live.onstate = (state) => this.#changed(state);
    this.#live.start();
  }

  #introduce({ application, access, who }) {
    setText(element("application"), application);
    const badge = element("access");
    badge.hidden = access === "administer";
    setText(badge, access === "look" ? "read-only" : access);
    badge.title = who;
  }

  #list(application, pages) {
    const titles = Object.entries(VIEWS).map(([name, [title]]) => [href([name]), title]);
    const own = pages.map(({ id, title }) => [href(["pages", id]), title]);
    const list = element("views");
    for (const [address, title] of [...titles, ...own]) {
      if (address === own[0]?.[0]) list.append(h("span", { className: "group" }, application));
      const link = h("a", { href: address }, title);
      this.#links.set(address, link);
      list.append(link);
    }
    const menu = element("menu");
    menu.addEventListener("click", () => this.#unfold(menu.getAttribute("aria-expanded") !== "true"));
  }

  /** On a phone the list of views is behind a button. */
  #unfold(isOpen) {
    element("menu").setAttribute("aria-expanded", String(isOpen));
    element("nav").classList.toggle("open", isOpen);
  }

  #show({ path: asked, query }) {
    const path = asked.length ? asked : this.#home;
    const [name, id] = path;
    const place = path.join("/");
    if (this.#view && place === this.#place) {
      this.#view.query = query;
      void this.#pace?.now();
      return;
    }
    this.#place = place;
    this.#mark(name === "pages" ? href(path) : href([name]), this.#context.forms.get(id)?.title);
    this.#mount(this.#make(name, id), query);
  }

  /** @returns {View} */
  #make(name, id) {
    const context = this.#context;
    if (name === "pages" && id) return new PageView(context, id);
    if (name === "forms" && context.forms.has(id)) return new FormView(context, context.forms.get(id));
    const [, All, One] = Object.hasOwn(VIEWS, name) ? VIEWS[name] : VIEWS.overview;
    return id !== undefined && One ? new One(context, id) : new All(context);
  }

  #mount(view, query) {
    this.#pace?.close();
    this.#mounted += 1;
    this.#view = view;
    view.query = query;
    this.#main.replaceChildren(view.element);
    scrollTo(0, 0);
    this.#say("");
    const pace = new Pace(async () => {
      await view.refresh();
      if (pace.closed) return;
      this.#say("");
      document.title = `${visible(view.title)} · Canopy console`;
    }, INTERVAL);
    pace.onerror = (error) => this.#failed(error);
    pace.paused = this.#paused;
    this.#pace = pace;
    void pace.now();
  }

  #follow(path) {
    this.#place = path.join("/");
    history.replaceState(null, "", href(path));
  }

  #mark(current, other = "Views") {
    for (const [address, link] of this.#links) {
      if (address === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    setText(element("menu-title"), this.#links.get(current)?.textContent ?? other);
    this.#unfold(false);
  }

  #heard(message) {
    if (message.type === "live") this.#context.overview = message.overview;
    this.#view?.changed?.(message);
    this.#pace?.tick();
  }

  #changed(state) {
    if (state.status === "live" && this.#wasLost) this.#context.refresh();
    this.#wasLost = state.status === "lost";
    this.#status.show(state);
  }

  /** What the server refuses is said where one looks; that it cannot be reached, the banner says. */
  #failed(error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status > 0 || this.#live.state.status === "live") this.#say(error.message);
  }

  #say(text) {
    setText(this.#notice, text);
    this.#notice.hidden = text === "";
  }

  #pause() {
    this.#paused = !this.#paused;
    if (this.#pace) this.#pace.paused = this.#paused;
    this.#status.pause(this.#paused);
    if (!this.#paused) this.#context.refresh();
  }
}

async function start() {
  const api = new Api();
  // Not a reload: this page may be let in where its questions are not. What comes after the hash stays.
  api.onlogout = () => location.replace(`login${location.hash}`);
  if (location.hash.startsWith("#code=")) return api.onlogout();
  const [session, { pages }] = await Promise.all([api.get("session"), api.get("pages")]);
  new App(api, session, pages);
}

void start();
