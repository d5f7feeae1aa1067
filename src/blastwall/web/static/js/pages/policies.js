// The policies in force, with their source.

import { get } from "../api.js";
import { fill, h, icon, seen } from "../dom.js";
import { badge, empty, field, goes, head, input, note } from "../parts.js";
import { source } from "../sql.js";

export async function show(page) {
  const found = await get("/policies", {}, page.signal);
  const list = h("div.stack");
  const search = input({ type: "search", placeholder: "id, file or text" });
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const fits = found.policies.filter((one) => !wanted || `${one.id} ${one.where} ${one.source_text}`.toLowerCase().includes(wanted));
    fill(list, fits.length ? fits.map(policyCard) : empty("No policy matches"));
  };
  draw();
  search.addEventListener("input", draw);
  fill(page.main, head("Policies", [`${found.policies.length} in force, version `, h("code", seen(String(found.version).slice(0, 12)))], goes("Playground", "#/playground", { kind: "primary", name: "play" })),
    found.warnings.length ? note("hold", h("p.title", "Warnings"), h("ul", found.warnings.map((one) => h("li", seen(typeof one === "string" ? one : JSON.stringify(one)))))) : null,
    h("form.filters", { role: "search", onsubmit: (event) => event.preventDefault() }, field("Find", search)), list);
}

function policyCard(one) {
  const approvals = (one.approvals ?? []).map((each) => (typeof each === "string" ? each : `${each.group}: ${each.count}`));
  return h("details.card.fold.policy", h("summary", icon(one.effect === "permit" ? "check" : "cross"), h("span.name", seen(one.id)),
    badge(one.effect, one.effect === "permit" ? "allow" : "deny"), approvals.length ? badge(`asks ${approvals.join(", ")}`, "hold") : null, one.mode === "observe" ? badge("observe", "none") : null, h("span.where", seen(one.where ?? ""))),
  source(one.source_text ?? "", { label: `Policy ${one.id}`, language: "cedar" }));
}
