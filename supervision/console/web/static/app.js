/**
 * The app: the session, the route, and the current view.
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
import { Toasts } from "./shared/toast.js";
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
import { TopicsView } from "./views/topics.js";
import { TreeView } from "./views/tree.js";

/** Minimum milliseconds between two periodic refreshes. */
const INTERVAL = 2000;

/** First segment of the route -> title, view of the list, view of one item. */
const VIEWS = {
  overview: ["Overview", OverviewView],
  tree: ["Tree", TreeView],
  actors: ["Actors", ActorsView, ActorView],
  connections: ["Connections", ConnectionsView, ConnectionView],
  names: ["Names", NamesView],
  topics: ["Topics", TopicsView],
  crashes: ["Crashes", CrashesView, CrashView],
};

/**
 * The parts that every view receives. `servers` are the application's servers, `forms` the forms that this session may use,
 * and `overview` is the latest one that the server sent. `refresh` refreshes the view at once, `hurry` as soon as the
 * server's load allows; `follow` reports that the view now shows something else.
 * @typedef {{api: Api, actions: Actions, dialog: Dialog, forms: Map<string, any>, router: Router, toasts: Toasts, overview: any, refresh: () => void,
 *   servers: string[], hurry: () => void, follow: (path: string[]) => void}} Context
 *
 * A view. `query` is the query of the route, `changed` receives the messages of the WebSocket, `key` handles a key and
 * returns whether it did.
 * @typedef {{element: HTMLElement, title: string, refresh: () => Promise<void>, query?: Record<string, string>,
 *   changed?: (message: any) => void, key?: (event: KeyboardEvent) => boolean, focusSearch?: () => void}} View
 */

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

class App {
  #main = /** @type {HTMLElement} */ (document.getElementById("view"));
  #notice = /** @type {HTMLElement} */ (document.getElementById("notice"));
  /** Address -> link of a view. @type {Map<string, HTMLElement>} */
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
  /** The view to open first: for moderators, a page of the application. */
  #home = ["overview"];
  #paused = false;
  #wasLost = false;
  /** Number of views shown. Going back from the first one would leave the console. */
  #mounted = 0;

  /**
   * @param {Api} api
   * @param {any} session
   * @param {{id: string, title: string}[]} pages of the application
   */
  constructor(api, session, pages) {
    const toasts = new Toasts(element("toasts"), setText);
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
    this.#live.onmessage = (message) => this.#receive(message);
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

  /** Open or close the list of views, which a button hides on phones. */
  #unfold(isOpen) {
    element("menu").setAttribute("aria-expanded", String(isOpen));
    element("nav").classList.toggle("open", isOpen);
  }

  #show({ path: requested, query }) {
    const path = requested.length ? requested : this.#home;
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

  #receive(message) {
    if (message.type === "live") this.#context.overview = message.overview;
    this.#view?.changed?.(message);
    this.#pace?.tick();
  }

  #changed(state) {
    if (state.status === "live" && this.#wasLost) this.#context.refresh();
    this.#wasLost = state.status === "lost";
    this.#status.show(state);
  }

  /** Show the server's refusals here; the banner reports that it cannot be reached. */
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
  // Not a reload: the server may serve this page and still refuse its API requests. The fragment is kept.
  api.onlogout = () => location.replace(`login${location.hash}`);
  if (location.hash.startsWith("#code=")) return api.onlogout();
  const [session, { pages }] = await Promise.all([api.get("session"), api.get("pages")]);
  new App(api, session, pages);
}

void start();
