// Principal × resource × statement → ruling, and why.

import { get, post } from "../api.js";
import { announce, fill, h, icon, seen } from "../dom.js";
import { badge, button, busy, card, crumb, effects, facts, field, head, input, segmented, select } from "../parts.js";
import { source } from "../sql.js";

const SAYS = { allow: ["check", "Allowed"], deny: ["cross", "Denied"], hold: ["hand", "Held for approval"] };

export async function show(page) {
  const [agents, resources] = await Promise.all([get("/agents", { limit: 200 }, page.signal), get("/resources", { limit: 200 }, page.signal)]);
  let kind = page.query.get("user") ? "user" : "agent";
  const names = h("datalist", { id: "play-names" }, agents.items.map((one) => h("option", { value: one.name })));
  const name = input({ list: "play-names", value: page.query.get(kind) ?? agents.items[0]?.name ?? "" });
  const resource = select(resources.items.map((one) => [one.name, one.name]), page.query.get("resource") ?? resources.items[0]?.name ?? "");
  const database = input({ list: "play-databases" });
  const databases = h("datalist", { id: "play-databases" });
  const statement = h("textarea.code", { rows: "5", maxlength: "8192", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  statement.value = page.query.get("statement") ?? "DELETE FROM orders WHERE placed < now() - interval '90 days'";
  const offered = () => {
    const known = resources.items.find((one) => one.name === resource.value)?.databases ?? [];
    fill(databases, known.map((one) => h("option", { value: one })));
    if (!known.includes(database.value)) database.value = known[0] ?? "";
  };
  resource.addEventListener("change", offered);
  offered();
  const result = h("div.stack", { "aria-live": "polite" });
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
  fill(page.main, crumb("Policies", "#/policies"), head("Playground", "What policy would say of a statement, and why."), h("div.columns.even", h("div.maincol", card(null, form)), h("div.aside", result)));
  fill(result, card("Ruling", h("p.faint", "Ask, and the ruling stands here.")));
}

function explained(found) {
  const several = (found.statements ?? []).length > 1;
  return [card("Ruling", several ? h("p.faint", `${found.statements.length} statements; the most restricted one rules the text.`) : null, ruling(found)),
    several ? found.statements.map((one, at) => card(`Statement ${at + 1}`, source(one.text, { label: `Statement ${at + 1}` }), ruling(one))) : null];
}

function ruling(found) {
  const [name, words] = SAYS[found.decision] ?? ["clock", found.decision];
  return [h("p.verdictline", { "data-tone": found.decision }, icon(name), h("b", words)), found.reason ? h("p", seen(found.reason)) : null,
    found.effects.length ? [h("h3", "It would"), h("ul.policies", found.effects.map(effect))] : null,
    obligations(found.obligations),
    found.observed.length ? [h("h3", "Observed only"), h("ul.policies", found.observed.map((one) => h("li", h("p", h("code", seen(one.policy)), " ", badge(one.decision)))))] : null];
}

function effect(one) {
  return h("li", effects([one]), h("p", badge(one.decision), one.policies.length ? " by " : " since no policy permits it",
    one.policies.map((policy, at) => [at ? ", " : "", h("code", seen(policy.id))])), why(one));
}

function why(one) {
  if (!one.policies.length && !one.changes.length) return null;
  return h("details", h("summary", one.changes.length ? "The policies, and what would change it" : "The policies"),
    one.policies.map((policy) => h("div.said", h("p.faint", seen(policy.where)), source(policy.source_text, { label: `Policy ${policy.id}`, language: "cedar" }))),
    one.changes.length ? h("ul.changes", one.changes.map((change) => h("li", seen(change)))) : null);
}

function obligations(found) {
  const pairs = [found.approvals.length ? ["approvals", found.approvals.join(", ")] : null, found.limit_rows === null ? null : ["rows at most", String(found.limit_rows)],
    found.limit_affected === null ? null : ["affected rows at most", String(found.limit_affected)]].filter(Boolean);
  return pairs.length ? [h("h3", "Obligations"), facts(...pairs.map(([key, value]) => [key, seen(value)]))] : null;
}
