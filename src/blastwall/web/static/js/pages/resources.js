// What stands behind the gateway.

import { get } from "../api.js";
import { fill, h, icon, seen, to } from "../dom.js";
import { badge, empty, head, pager, table } from "../parts.js";

const COLUMNS = [
  { head: "Resource", wide: true, cell: (one) => h("a.row", { href: to("resources", one.name) }, icon("database"), h("span.name", seen(one.name)), one.contained ? badge("contained") : null) },
  { head: "Kind", cell: (one) => seen(one.kind) },
  { head: "Databases", cell: (one) => (one.databases.length ? seen(one.databases.join(", ")) : h("span.faint", "–")) },
  { head: "Tags", cell: (one) => tags(one.tags) },
  { head: "Listens on", cell: (one) => h("span.when", String(one.listen ?? "–")) },
  { head: "Live sessions", number: true, cell: (one) => String(one.sessions_live) },
];

export async function show(page) {
  const list = table("Resources", COLUMNS, (one) => one.name);
  const more = h("div");
  const read = (cursor) => get("/resources", { cursor, limit: 100 }, page.signal);
  const first = await read(null);
  pager(read, (items) => list.show(items), more).take(first);
  fill(page.main, head("Resources", "The credential of each stays in the gateway; it is never shown."), first.items.length ? [list, more] : empty("No resource is configured", "Resources are named in blastwall.yaml."));
  page.hear(["containment"], async () => {
    const fresh = await read(null).catch(() => null);
    if (fresh && fresh.items.length === first.items.length) list.show(fresh.items);
  });
}

export function tags(found) {
  const entries = Object.entries(found ?? {});
  return entries.length ? h("ul.chips", { "aria-label": "Tags" }, entries.map(([name, value]) => h("li.chip", seen(`${name}: ${value}`)))) : h("span.faint", "–");
}
