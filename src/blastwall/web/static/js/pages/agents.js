// Agents, and what each can reach.

import { get } from "../api.js";
import { fill, h, icon, seen, to } from "../dom.js";
import { badge, empty, field, head, input, pager, when } from "../parts.js";
import { legend, matrix } from "../reach.js";

export async function show(page) {
  const list = h("div.stack");
  const more = h("div");
  const search = input({ type: "search", placeholder: "name, group or resource" });
  let items = [];
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const fits = items.filter((one) => !wanted || JSON.stringify([one.name, one.groups, one.reach.map((reach) => reach.resource)]).toLowerCase().includes(wanted));
    fill(list, fits.length ? fits.map(agentCard) : empty(items.length ? "No agent matches" : "No agent is configured", items.length ? "" : "Agents are named in blastwall.yaml."));
  };
  const read = (cursor) => get("/agents", { cursor, limit: 50 }, page.signal);
  const first = await read(null);
  pager(read, (all) => { items = all; draw(); }, more).take(first);
  search.addEventListener("input", draw);
  fill(page.main, head("Agents", "What policy lets each do, by database and action."), h("form.filters", { role: "search", onsubmit: (event) => event.preventDefault() }, field("Find", search)), legend(), list, more);
  page.hear(["containment"], async () => {
    const fresh = await read(null).catch(() => null);
    if (!fresh) return;
    const byName = new Map(fresh.items.map((one) => [one.name, one]));
    items = items.map((one) => byName.get(one.name) ?? one);
    draw();
  });
}

function agentCard(one) {
  return h("section.card.agent", h("div.cardhead", h("h2", icon("agent"), h("a", { href: to("agents", one.name) }, seen(one.name))),
    one.contained ? badge("contained") : null, h("p.meta", one.groups.length ? [seen(one.groups.join(", ")), " · "] : null, `${one.sessions_live} live · `, one.last_seen ? ["seen ", when(one.last_seen)] : "never seen")),
  one.reach.length ? matrix(one.reach, `What ${one.name} can reach`) : h("p.faint", "Reaches nothing: no policy permits it to connect."));
}
