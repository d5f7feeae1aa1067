// Whether the gateway is well.

import { get } from "../api.js";
import { fill, h, icon, seen } from "../dom.js";
import { card, facts, head, note } from "../parts.js";

export async function show(page) {
  const body = h("div.stack");
  const load = async () => {
    const [health, version] = await Promise.all([get("/health", {}, page.signal), get("/version", {}, page.signal)]);
    fill(body, state(health), details(health, version));
  };
  await load();
  fill(page.main, head("Health"), body);
  page.hear(["health"], () => load().catch(() => {}));
  const again = setInterval(() => load().catch(() => {}), 15000);
  page.signal.addEventListener("abort", () => clearInterval(again));
}

function state(health) {
  return h("div.stack",
    h("div.card.statebox", { "data-tone": health.ready ? "allow" : "deny" }, icon(health.ready ? "check" : "warn"), h("p.title", health.ready ? "The gateway takes sessions" : "The gateway takes no new sessions"),
      health.waiting_for?.length ? h("p", "It waits for ", seen(health.waiting_for.join(", ")), ".") : null),
    health.containment_blind ? note("deny", h("p.title", "Containment cannot be read"), h("p", "The state database does not answer, so nothing new is let in until it does.")) : null,
    health.reviews_overdue ? note("hold", h("p.title", `${health.reviews_overdue} overdue review${health.reviews_overdue === 1 ? "" : "s"} of a break-glass`), h("p", h("a", { href: "#/grants?state=review" }, "Review them"))) : null);
}

function details(health, version) {
  const recordings = health.recordings ?? {};
  return h("div.tiles",
    card("Workers", h("p.figure", `${health.workers?.ready ?? 1} of ${health.workers?.of ?? 1}`), h("p.label", "serve")),
    card("Recordings", facts(...Object.entries(recordings).filter(([, value]) => typeof value !== "object" || value === null).map(([name, value]) => [name.replaceAll("_", " "), seen(told(value))]))),
    card("Version", facts(["Blastwall", h("code", seen(version.version ?? "–"))], ["Policies", h("code", seen(String(health.policies_version ?? "–").slice(0, 12)))], ["Generation", String(health.generation ?? "–")])));
}

const told = (value) => ({ true: "yes", false: "no", null: "–" }[String(value)] ?? (typeof value === "number" ? value.toLocaleString() : String(value)));
