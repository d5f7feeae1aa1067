// From the address after `#` to a page. Leaving a page ends what it listens to and what it waits for.

import { fill, h } from "./dom.js";
import { Live, live } from "./api.js";
import { failure, loading } from "./parts.js";

const ROUTES = [
  ["", "waiting", "waiting", "Waiting for me"],
  ["waiting", "waiting", "waiting", "Waiting for me"],
  ["approvals", "approvals", "waiting", "Approvals"],
  ["approvals/:id", "approval", "waiting", "Approval"],
  ["sessions", "sessions", "sessions", "Sessions"],
  ["sessions/:id", "session", "sessions", "Session"],
  ["agents", "agents", "agents", "Agents"],
  ["agents/:name", "agent", "agents", "Agent"],
  ["resources", "resources", "resources", "Resources"],
  ["resources/:name", "resource", "resources", "Resource"],
  ["grants", "grants", "grants", "Grants"],
  ["grants/ask", "ask", "grants", "Ask for access"],
  ["grants/:id", "grant", "grants", "Grant"],
  ["break-glass", "glass", "grants", "Break glass"],
  ["containment", "containment", "containment", "Containment"],
  ["policies", "policies", "policies", "Policies"],
  ["playground", "playground", "policies", "Playground"],
  ["health", "health", "health", "Health"],
  ["device", "device", "account", "Confirm a device"],
  ["device/:code", "device", "account", "Confirm a device"],
  ["account", "account", "account", "Who am I"],
].map(([pattern, module, section, title]) => ({ parts: pattern.split("/"), module, section, title }));

/** Split an address such as `#/sessions/a%2Fb?q=x` into its decoded parts and its query. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts, query: new URLSearchParams(query) };
}

function match(parts) {
  for (const route of ROUTES) {
    if (route.parts.length !== parts.length) continue;
    const params = {};
    const fits = route.parts.every((part, at) => {
      if (!part.startsWith(":")) return part === parts[at];
      params[part.slice(1)] = parts[at];
      return parts[at] !== "";
    });
    if (fits) return { route, params };
  }
  return null;
}

/** One visit of a page: what it knows, and what ends with it. */
class Visit {
  constructor(main, params, query, context) {
    this.main = main;
    this.params = params;
    this.query = query;
    this.me = context.me;
    this.context = context;
    this.ending = new AbortController();
    this.signal = this.ending.signal;
    this.told = [];
    for (const kind of [...Live.KINDS, "again"]) {
      live.addEventListener(kind, (event) => this.told?.push([kind, event.detail]), { signal: this.signal });
    }
  }

  /**
   * Call `heard` with what the server tells of these kinds, until the page is left; at once with what it told while the
   * page was read.
   */
  hear(kinds, heard) {
    const wanted = [...kinds, "again"];
    for (const kind of wanted) {
      live.addEventListener(kind, (event) => heard(event.detail, kind), { signal: this.signal });
    }
    for (const [kind, detail] of this.told ?? []) {
      if (wanted.includes(kind)) heard(detail, kind);
    }
  }

  /** Keep nothing more of what is told: whatever the page wants to hear, it listens to by now. */
  arrived() {
    this.told = null;
  }

  /** Name the page in its tab, and for those who hear it. */
  title(name) {
    document.title = `${name} · Blastwall`;
  }

  /** Keep a page's filters in its address, without a new entry in the history. */
  keep(values) {
    for (const [name, value] of Object.entries(values)) {
      if (value) this.query.set(name, value);
      else this.query.delete(name);
    }
    const path = location.hash.split("?", 1)[0] || "#/";
    history.replaceState(history.state, "", this.query.size ? `${path}?${this.query}` : path);
  }

  has(role) {
    return this.me.roles.includes(role);
  }
}

/** Show the page of the present address, and those after it. */
export class Router {
  constructor(main, context) {
    this.main = main;
    this.context = context;
    this.places = new Map();
    history.scrollRestoration = "manual";
    addEventListener("scroll", () => { this.left = scrollY; }, { passive: true });
    addEventListener("hashchange", (event) => this.#moved(new URL(event.oldURL).hash));
    document.addEventListener("click", (event) => {
      if (event.target.closest?.('a[href^="#/"]')) this.forward = true;
    });
  }

  #moved(from) {
    this.places.set(from, this.left ?? 0);
    const back = this.forward ? 0 : this.places.get(location.hash) ?? 0;
    this.forward = false;
    this.show({ scroll: back, focus: true });
  }

  async show({ scroll = 0, focus = false } = {}) {
    this.visit?.ending.abort();
    const { parts, query } = parse(location.hash);
    const found = match(parts);
    const visit = new Visit(this.main, found?.params ?? {}, query, this.context);
    this.visit = visit;
    this.context.entered(found?.route.section ?? "");
    visit.title(found?.route.title ?? "Not found");
    this.main.setAttribute("aria-busy", "true");
    const before = this.main.firstChild;
    const waits = setTimeout(() => { if (!visit.signal.aborted && this.main.firstChild === before) fill(this.main, loading()); }, 160);
    try {
      if (!found) missing(this.main);
      else await (await import(`./pages/${found.route.module}.js`)).show(visit);
    } catch (error) {
      if (!visit.signal.aborted) this.#failed(error, found?.route.title ?? "Blastwall");
    } finally {
      clearTimeout(waits);
    }
    if (visit.signal.aborted) return;
    visit.arrived();
    this.main.removeAttribute("aria-busy");
    this.#arrive(scroll, focus);
  }

  #failed(error, title) {
    if (error.name === "AbortError") return;
    const heading = error.status === 404 ? "Not found" : title;
    fill(this.main, h("header.head", h("h1", heading)), failure(error, () => this.show()));
    if (!("status" in error)) console.error(error);
  }

  #arrive(scroll, focus) {
    scrollTo(0, scroll);
    if (!focus) return;
    const heading = this.main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
  }
}

function missing(main) {
  fill(main, h("header.head", h("h1", "Not found")), h("p.lead", "There is no such page. ", h("a", { href: "#/" }, "Back to what waits for you"), "."));
}
