// Principal × resource × statement → ruling, and why.

import { get, post } from "../api.js";
import { announce, fill, h, icon, seen } from "../dom.js";
import { badge, button, busy, card, crumb, effects, facts, field, head, input, segmented, select } from "../parts.js";

const SAYS = { allow: ["check", "Allowed"], deny: ["cross", "Denied"], hold: ["hand", "Held for approval"] };

export async function show(page) {
  const [agents, resources] = await Promise.all([get("/agents", { limit: 200 }, page.signal), get("/resources", { limit: 200 }, page.signal)]);
  let kind = page.query.get("user") ? "user" : "agent";
  const names = h("datalist", { id: "play-names" }, agents.items.map((one) => h("option", { value: one.name })));
  const name = input({ list: "play-names", value: page.query.get(kind) ?? agents.items[0]?.name ?? "" });
  const resource = select(resources.items.map((one) => [one.name, one.name]), page.query.get("resource") ?? resources.items[0]?.name ?? "");
  const database = input({ list: "play-databases" });
  const databases = h("datalist", { id: "play-databases" });
  const statement = h("textarea.code", { rows: "5", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  statement.value = page.query.get("statement") ?? "DELETE FROM orders WHERE placed < now() - interval '90 days'";
  const offered = () => {
    const known = resources.items.find((one) => one.name === resource.value)?.databases ?? [];
    fill(databases, known.map((one) => h("option", { value: one })));
    if (!known.includes(database.value)) database.value = known[0] ?? "";
  };
  resource.addEventListener("change", offered);
  offered();
  const result = h("div", { "aria-live": "polite" });
  const failed = h("div.failed");
  const ask = button("Explain", { kind: "primary", type: "submit", name: "play" });
  const form = h("form", h("div.fields", segmented("Kind", "kind", [["agent", "Agent"], ["user", "User"]], kind, (value) => { kind = value; }), field("Who", name), names, field("Resource", resource), field("Database", database, { optional: true }), databases),
    field("Statement", statement, { hint: "Nothing is run. Ctrl+Enter explains." }), failed, h("div.verdict", ask));
  const run = () => busy(ask, failed, async () => {
    const body = { principal: { [kind]: name.value.trim() }, resource: resource.value, statement: statement.value };
    if (database.value.trim()) body.database = database.value.trim();
    const found = await post("/policies/explain", body);
    fill(result, explained(found));
    announce(SAYS[found.decision]?.[1] ?? found.decision);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  statement.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); } });
  fill(page.main, crumb("Policies", "#/policies"), head("Playground", "What policy would say of a statement, and why."), h("div.columns", h("div.maincol", card(null, form)), h("div.aside", result)));
  fill(result, card("Ruling", h("p.faint", "Ask, and the ruling stands here.")));
}

function explained(found) {
  const [name, words] = SAYS[found.decision] ?? ["clock", found.decision];
  return card("Ruling", h("p.verdictline", { "data-tone": found.decision }, icon(name), h("b", words)), found.reason ? h("p", seen(found.reason)) : null,
    found.effects?.length ? [h("h3", "It would"), effects(found.effects)] : null,
    found.policies?.length ? [h("h3", "Policies that decided"), h("ul.policies", found.policies.map((one) => h("li", h("p", h("code", seen(one.id)), " ", one.contributes ? badge(said(one.contributes)) : null), one.where ? h("p.faint", seen(one.where)) : null)))] : null,
    obligations(found.obligations), found.observed?.length ? [h("h3", "Observed only"), h("ul.policies", found.observed.map((one) => h("li", h("code", seen(said(one))))))] : null);
}

const said = (value) => (value !== null && typeof value === "object" ? Object.values(value).join(": ") : typeof value === "number" ? value.toLocaleString() : String(value));

function obligations(found) {
  const pairs = Object.entries(found ?? {}).filter(([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && !value.length));
  if (!pairs.length) return null;
  return [h("h3", "Obligations"), facts(...pairs.map(([key, value]) => [key.replaceAll("_", " "), seen(Array.isArray(value) ? value.map(said).join(", ") : said(value))]))];
}
