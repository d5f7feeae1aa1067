// Sessions, live and past, searched and filtered.

import { get } from "../api.js";
import { fill, h, seen, to } from "../dom.js";
import { button, empty, failure, field, head, input, pager, place, principal, segmented, select, table, when } from "../parts.js";
import { duration } from "../time.js";

const FILTERS = ["live", "q", "agent", "resource", "since", "until"];
const DAYS = [["", "Any time"], ["1", "Last day"], ["7", "Last 7 days"], ["30", "Last 30 days"]];

export async function show(page) {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, page.query.get(name) ?? ""]));
  const resources = await get("/resources", { limit: 200 }, page.signal);
  const place_ = h("div");
  const list = table("Sessions", COLUMNS, (one) => one.id);
  const nothing = h("div");
  const result = h("div.results", list, nothing, place_);
  let turn = 0;
  let pages = null;
  const read = (cursor) => get("/sessions", { ...asked(chosen), cursor, limit: 50 }, page.signal);
  const draw = (items) => {
    list.show(items);
    list.hidden = items.length === 0;
    fill(nothing, items.length ? null : empty("No session matches", "Sessions appear here when an agent connects. Try fewer filters."));
  };
  const search = async () => {
    const mine = ++turn;
    page.keep(chosen);
    const first = await read(null);
    if (mine !== turn) return;
    pages = pager(read, draw, place_);
    pages.take(first);
  };
  const again = async () => {
    result.classList.add("busy");
    try {
      await search();
    } catch (error) {
      if (error.name !== "AbortError") fill(nothing, failure(error, again));
    }
    result.classList.remove("busy");
  };
  await search();
  fill(page.main, head("Sessions"), filters(chosen, resources.items, again), result);
  let soon = 0;
  page.hear(["session"], () => {
    clearTimeout(soon);
    soon = setTimeout(() => { if (!page.signal.aborted && (pages?.items.length ?? 0) <= 50) search().catch(() => {}); }, 400);
  });
}

function asked(chosen) {
  const { since, ...rest } = chosen;
  return { ...rest, since: since ? new Date(Date.now() - Number(since) * 86400e3).toISOString().replace(/\.\d+Z/, "Z") : "" };
}

const COLUMNS = [
  { head: "Who", wide: true, cell: (one) => h("a.row", { href: to("sessions", one.id) }, one.principal ? principal(one.principal, false) : h("span.faint", "not identified"), one.application ? h("span.faint.app", seen(one.application)) : null) },
  { head: "Where", cell: (one) => place(one.resource, one.database, false) },
  { head: "Began", cell: (one) => when(one.began) },
  { head: "State", corner: true, cell: (one) => (one.live ? h("span.badge", { "data-tone": "live" }, "live") : h("span.faint", duration((Date.parse(one.ended) - Date.parse(one.began)) / 1000))) },
  { head: "Statements", number: true, cell: (one) => one.statements.toLocaleString() },
  { head: "Denied", number: true, cell: (one) => count(one.denied, "deny") },
  { head: "Held", number: true, cell: (one) => count(one.held, "hold") },
  { head: "Rows", number: true, cell: (one) => (one.rows ?? 0).toLocaleString() },
];

const count = (value, tone) => (value ? h("b.figure", { "data-tone": tone }, value.toLocaleString()) : h("span.faint", "0"));

function filters(chosen, resources, changed) {
  const search = input({ type: "search", value: chosen.q, placeholder: "statement text, application, id…", enterkeyhint: "search" });
  const agent = input({ type: "search", value: chosen.agent, placeholder: "any" });
  const take = (name, control) => control.addEventListener("change", () => { chosen[name] = control.value.trim(); changed(); });
  const resource = select([["", "Any"], ...resources.map((one) => [one.name, one.name])], chosen.resource);
  const since = select(DAYS, chosen.since);
  take("q", search);
  take("agent", agent);
  take("resource", resource);
  take("since", since);
  const form = h("form.filters", { role: "search", onsubmit: (event) => event.preventDefault() },
    segmented("Which sessions", "live", [["", "All"], ["true", "Live"], ["false", "Past"]], chosen.live, (value) => { chosen.live = value; changed(); }),
    field("Search", search), field("Agent", agent), field("Resource", resource), field("Since", since),
    button("Search", { type: "submit", kind: "quiet", name: "search", class: "submit" }));
  form.addEventListener("submit", () => {
    chosen.q = search.value.trim();
    chosen.agent = agent.value.trim();
    changed();
  });
  return form;
}
