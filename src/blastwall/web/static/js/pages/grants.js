// Access for a time: asked for, open, ended.

import { get } from "../api.js";
import { empty, goes, head, pager, place, principal, segmented, table, when, badge } from "../parts.js";
import { fill, h, seen, to } from "../dom.js";
import { duration } from "../time.js";

const STATES = [["asked", "Asked"], ["open", "Open"], ["ended", "Ended"], ["review", "To review"], ["all", "All"]];

const EMPTY = { all: "Nobody has asked for access", asked: "Nobody asks for access now", open: "No access is open", ended: "No access has ended", review: "Nothing is to be reviewed" };

export async function show(page) {
  let state = page.query.get("state") ?? "all";
  const list = table("Grants", COLUMNS, (one) => one.id);
  const nothing = h("div");
  const more = h("div");
  const read = (cursor) => get("/grants", { ...(state === "review" ? { state: "all", unreviewed: "true" } : { state }), cursor, limit: 50 }, page.signal);
  const draw = (items) => {
    list.show(items);
    list.hidden = items.length === 0;
    fill(nothing, items.length ? null : empty(EMPTY[state] ?? EMPTY.all, "Access that policy makes subject to a grant is asked for here, and ends by itself."));
  };
  const load = async () => {
    const first = await read(null);
    pager(read, draw, more).take(first);
  };
  await load();
  fill(page.main, head("Grants", "Access for a time, given by those whom policy names.", goes("Ask for access", "#/grants/ask", { kind: "primary", name: "key" }),
    page.me.break_glass === false ? null : goes("Break glass", "#/break-glass", { name: "bolt" })),
  h("div.filters", segmented("Which grants", "state", STATES, state, (value) => { state = value; page.keep({ state }); load().catch(() => {}); })), list, nothing, more);
  page.hear(["grant"], () => load().catch(() => {}));
}

const COLUMNS = [
  { head: "Who", wide: true, cell: (one) => h("a.row", { href: to("grants", one.id) }, principal(one.principal, false)) },
  { head: "Where", cell: (one) => place(one.resource, null, false) },
  { head: "May", cell: (one) => seen(one.actions.join(", ")) },
  { head: "State", corner: true, cell: (one) => h("span", badge(one.state), one.kind === "break_glass" ? h("span.badge", { "data-tone": "deny" }, "break-glass") : null, one.review?.open ? h("span.badge", { "data-tone": "hold" }, "review open") : null) },
  { head: "For", cell: (one) => h("span.when", duration(one.minutes * 60)) },
  { head: "Until", cell: (one) => when(one.ends ?? one.until) },
  { head: "Last used", cell: (one) => when(one.last_used, "never") },
];
