// All requests for approval: those that wait, and what became of the others.

import { get } from "../api.js";
import { fill, h, seen, to } from "../dom.js";
import { badge, crumb, empty, field, head, input, pager, place, principal, segmented, table, when } from "../parts.js";
import { oneLine } from "../sql.js";

const STATES = [["all", "All"], ["waiting", "Waiting"], ["approved", "Approved"], ["denied", "Denied"], ["timeout", "Timed out"], ["withdrawn", "Withdrawn"]];

export async function show(page) {
  const chosen = { state: page.query.get("state") ?? "all", agent: page.query.get("agent") ?? "" };
  const list = table("Approvals", COLUMNS, (one) => one.id);
  const nothing = h("div");
  const more = h("div");
  const read = (cursor) => get("/approvals", { ...chosen, cursor, limit: 50 }, page.signal);
  const draw = (items) => {
    list.show(items);
    list.hidden = items.length === 0;
    fill(nothing, items.length ? null : empty("No request matches", "A statement that policy holds appears here."));
  };
  const load = async () => {
    page.keep(chosen);
    pager(read, draw, more).take(await read(null));
  };
  const agent = input({ type: "search", value: chosen.agent, placeholder: "any" });
  agent.addEventListener("change", () => { chosen.agent = agent.value.trim(); load().catch(() => {}); });
  const form = h("form.filters", { role: "search", onsubmit: (event) => event.preventDefault() },
    segmented("Which approvals", "state", STATES, chosen.state, (value) => { chosen.state = value; load().catch(() => {}); }), field("Agent or user", agent));
  await load();
  fill(page.main, crumb("Waiting for me", "#/"), head("Approvals", "Every statement that was held, and who decided."), form, list, nothing, more);
  page.hear(["approval"], () => load().catch(() => {}));
}

const COLUMNS = [
  { head: "Statement", wide: true, cell: (one) => h("a.row", { href: to("approvals", one.id) }, oneLine(one.text)) },
  { head: "Who", cell: (one) => principal(one.principal, false) },
  { head: "Where", cell: (one) => place(one.resource, one.database, false) },
  { head: "State", corner: true, cell: (one) => badge(one.state) },
  { head: "Asked", cell: (one) => when(one.asked_at) },
  { head: "Decided by", cell: (one) => (one.decisions.length ? h("span", seen(one.decisions.map((made) => made.by).join(", "))) : h("span.faint", "–")) },
];
