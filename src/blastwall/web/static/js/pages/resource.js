// One resource.

import { get, part } from "../api.js";
import { fill, h, seen } from "../dom.js";
import { card, crumb, facts, goes, head, note, principal, when } from "../parts.js";
import { tags } from "./resources.js";

export async function show(page) {
  const one = await get(`/resources/${part(page.params.name)}`, {}, page.signal);
  const live = await get("/sessions", { resource: one.name, live: "true", limit: 20 }, page.signal);
  page.title(one.name);
  fill(page.main, crumb("Resources", "#/resources"),
    head(seen(one.name), seen(one.kind), goes("Ask for access", `#/grants/ask?resource=${encodeURIComponent(one.name)}`, { name: "key" }),
      goes("Its sessions", `#/sessions?resource=${encodeURIComponent(one.name)}`, { name: "terminal" }),
      page.has("operator") && !one.contained ? goes("Contain", `#/containment?kind=resource&name=${encodeURIComponent(one.name)}`, { kind: "danger", name: "stop" }) : null),
    one.contained ? note("deny", h("p.title", "Contained"), h("p", "No statement reaches it until it is lifted. ", h("a", { href: "#/containment" }, "See containment"))) : null,
    card(null, facts(["Listens on", h("code", String(one.listen ?? "–"))], ["Upstream", h("code", seen(one.upstream_host ?? "–"))],
      ["Databases", one.databases.length ? seen(one.databases.join(", ")) : "any that policy permits"], ["Tags", tags(one.tags)],
      one.azure ? ["Azure", h("code.break", seen(one.azure))] : null, ["Live sessions", String(one.sessions_live)])),
    live.items.length ? [h("h2.section", "Open now"), h("ul.plainlist", live.items.map((session) =>
      h("li", session.principal ? principal(session.principal, false) : "not identified", " ", h("a", { href: `#/sessions/${encodeURIComponent(session.id)}` }, "session"), " since ", when(session.began))))] : null);
}
