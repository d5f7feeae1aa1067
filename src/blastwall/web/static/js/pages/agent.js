// One agent: who it is, what it can reach, what it has open.

import { get, part } from "../api.js";
import { fill, h, seen } from "../dom.js";
import { badge, card, chips, crumb, empty, facts, goes, head, note, place, when } from "../parts.js";
import { legend, matrix } from "../reach.js";

export async function show(page) {
  const one = await get(`/agents/${part(page.params.name)}`, {}, page.signal);
  const live = await get("/sessions", { agent: one.name, live: "true", limit: 20 }, page.signal);
  page.title(one.name);
  fill(page.main, crumb("Agents", "#/agents"),
    head(seen(one.name), null, goes("Its sessions", `#/sessions?agent=${encodeURIComponent(one.name)}`, { name: "terminal" }),
      page.has("operator") && !one.contained ? goes("Contain", `#/containment?kind=agent&name=${encodeURIComponent(one.name)}`, { kind: "danger", name: "stop" }) : null),
    one.contained ? note("deny", h("p.title", "Contained"), h("p", "Nothing of this agent's runs until it is lifted. ", h("a", { href: "#/containment" }, "See containment"))) : null,
    card(null, facts(["Issuer", h("code", seen(one.issuer))], ["Groups", chips(one.groups, "Groups")], ["Last seen", when(one.last_seen, "never")], ["Live sessions", String(one.sessions_live)])),
    h("h2.section", "What it can reach"), one.reach.length ? [legend(), matrix(one.reach, `What ${one.name} can reach`)] : empty("It reaches nothing", "No policy permits it to connect anywhere."),
    live.items.length ? [h("h2.section", "Open now"), h("ul.plainlist", live.items.map((session) =>
      h("li", h("a", { href: `#/sessions/${encodeURIComponent(session.id)}` }, place(session.resource, session.database, false)), " since ", when(session.began), session.held ? [" ", badge("held")] : null)))] : null);
}
