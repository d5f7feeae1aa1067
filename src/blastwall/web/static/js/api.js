// The API: reading, acting, and hearing what changes. Who may do what is the server's to say; this asks and shows.

const ROOT = "/api/v1";
let csrf = "";

/** An answer other than 2xx, as its problem document tells it. `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

/** Read; `parameters` that are empty are left out. */
export function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  const asked = query.size ? `?${query}` : "";
  return call("GET", ROOT + path + asked, undefined, {}, signal);
}

/** Act. `once` marks what creates: a key makes a repetition of the same request harmless. */
export function post(path, body = {}, { once = false } = {}) {
  return call("POST", ROOT + path, body, once ? { "Idempotency-Key": crypto.randomUUID() } : {});
}

/** Act on the signed-in person's own session: sign out, confirm a device. */
export function postAuth(path, body = {}) {
  return call("POST", `/auth${path}`, body, {});
}

/** Escape a part of a path. */
export const part = encodeURIComponent;

/** Remember what proves that a request comes from this page. */
export function trust(token) {
  csrf = token || "";
}

async function call(method, address, body, headers, signal) {
  const unsafe = method !== "GET" ? { "X-CSRF-Token": csrf, "Content-Type": "application/json" } : {};
  let answer;
  try {
    answer = await fetch(address, {
      method,
      headers: { Accept: "application/json", ...unsafe, ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The gateway does not answer", "Check your connection; the gateway may be restarting.");
  }
  return read(answer);
}

async function read(answer) {
  const type = answer.headers.get("content-type") || "";
  const content = type.includes("json") ? await answer.json() : null;
  if (answer.ok) return content;
  const problem = content || {};
  const detail = typeof problem.detail === "string" ? problem.detail : problem.error || "";
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("signedout"));
  throw new Problem(answer.status, problem.title || `The gateway answered ${answer.status}`, detail);
}

/** What the server tells as it happens: one stream, to which pages listen by kind. */
export class Live extends EventTarget {
  static KINDS = ["approval", "grant", "containment", "session", "notification", "health"];

  start() {
    if (this.source) return;
    this.source = new EventSource(`${ROOT}/events`);
    this.source.addEventListener("open", () => this.#opened());
    this.source.addEventListener("error", () => this.#state("waiting"));
    // After `reset` more was missed than the server tells: everything shown is read again.
    this.source.addEventListener("reset", () => this.#heard("again", "{}"));
    for (const kind of Live.KINDS) {
      this.source.addEventListener(kind, (event) => this.#heard(kind, event.data));
    }
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.lost = this.resting = false;
    this.#state("off");
  }

  /**
   * Return once the line is open, and what is read from then on misses nothing. Where it does not open within so many
   * milliseconds, return all the same: everything shown is read again when it does.
   */
  async opened(most) {
    if (this.state === "live") return;
    await new Promise((resolve) => {
      this.addEventListener("state", resolve, { once: true });
      setTimeout(resolve, most);
    });
    if (this.state !== "live") this.lost = true;
  }

  /** Close the line while nobody looks; `wake` opens it again, and what was missed is read anew. */
  rest() {
    if (!this.source) return;
    this.source.close();
    this.source = null;
    this.resting = true;
    this.lost = true;
  }

  wake() {
    if (!this.resting) return;
    this.resting = false;
    this.start();
  }

  #opened() {
    // What happened while the line was down was not heard: everything shown is read again.
    if (this.lost) this.#heard("again", "{}");
    this.lost = false;
    this.#state("live");
  }

  #state(state) {
    this.state = state;
    if (state === "waiting") this.lost = true;
    if (state === "waiting" && this.source?.readyState === EventSource.CLOSED) this.#retry();
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  #retry() {
    // The browser gives up for good on an answer other than 200, such as a gateway's that is just starting.
    this.source = null;
    setTimeout(() => { if (this.state === "waiting") this.start(); }, 3000);
  }

  #heard(kind, data) {
    let detail = {};
    try {
      detail = JSON.parse(data);
    } catch {
      detail = {};
    }
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

export const live = new Live();

// A browser opens six connections to one server for all its tabs: one that nobody looks at gives its own back.
const UNSEEN_MS = 5000;
let leaving = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(() => live.rest(), UNSEEN_MS);
  else live.wake();
});
