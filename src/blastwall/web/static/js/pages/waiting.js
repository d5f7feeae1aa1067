// What waits for me, live: statements that are held, and access that is asked for.

import { announce, fill, h, icon, reconcile, seen, to } from "../dom.js";
import { empty, effects, failure, goes, head, place, principal, when } from "../parts.js";
import { mine } from "../counts.js";
import { oneLine } from "../sql.js";
import { countdown, duration, tick } from "../time.js";

export async function show(page) {
  const list = h("ol.queue");
  const others = h("ol.queue");
  const nothing = h("div");
  const rest = h("section", { hidden: true }, h("h2.section", "Waiting for somebody else"), others);
  let known = null;

  const update = async () => {
    const found = await mine(page.signal);
    const all = [...found.approvals.map(ofApproval).sort((a, b) => a.until.localeCompare(b.until)), ...found.grants.map(ofGrant).sort((a, b) => a.until.localeCompare(b.until)), ...found.reviews.map(ofReview)];
    const [here, there] = [all.filter((one) => one.decidable), all.filter((one) => !one.decidable)];
    draw(list, here);
    draw(others, there);
    rest.hidden = there.length === 0;
    fill(nothing, found.failed ? failure(found.failed) : here.length ? null : empty("Nothing waits for you", "A statement that needs your approval, or access that is asked of you, appears here at once."));
    const fresh = known && here.filter((one) => !known.has(one.key));
    if (fresh?.length) announce(`${fresh.length} new: ${fresh[0].spoken}`, true);
    known = new Set(here.map((one) => one.key));
  };
  await update();
  fill(page.main, head("Waiting for me", null, goes("All approvals", "#/approvals", { kind: "quiet", name: "clock" })), nothing, list, rest);
  let soon = 0;
  page.hear(["approval", "grant"], () => {
    clearTimeout(soon);
    soon = setTimeout(() => { if (!page.signal.aborted) update().catch(() => {}); }, 100);
  });
}

function draw(list, items) {
  reconcile(list, items, (one) => one.key, build, (node, one) => {
    if (node.dataset.shape !== one.shape) node.replaceWith(node = build(one));
    return node;
  });
}

function build(one) {
  const item = h("li.item", { "data-shape": one.shape }, h("div.top", one.who(), h("span.time", one.left())),
    h("h2.what", h("a", { href: one.href }, one.title())), one.body(), h("div.bottom", one.foot()));
  return item;
}

function ofApproval(one) {
  return {
    key: `approval ${one.id}`, until: one.until, decidable: one.can_decide, href: to("approvals", one.id),
    shape: JSON.stringify([one.needed, one.can_decide, one.cannot_because]), spoken: `${one.principal.name} asks for ${one.operation} on ${one.resource}`,
    who: () => [principal(one.principal, false), place(one.resource, one.database, false)],
    left: () => timeLeft(one.until),
    title: () => [h("span.sr", `${one.operation} on ${one.resource}: `), oneLine(one.text)],
    body: () => effects(one.effects),
    foot: () => [h("span", "asked ", when(one.asked_at)), quorum(one.needed), impact(one), one.can_decide ? null : h("span.why", seen(one.cannot_because ?? ""))],
  };
}

function ofGrant(one) {
  return {
    key: `grant ${one.id}`, until: one.asked_at, decidable: one.can_decide, href: to("grants", one.id),
    shape: JSON.stringify([one.needed, one.can_decide, one.cannot_because]), spoken: `${one.principal.name} asks for access to ${one.resource}`,
    who: () => [principal(one.principal, false), place(one.resource, null, false)],
    left: () => h("span.kind", icon("key"), "access"),
    title: () => [seen(one.actions.join(", ")), ` for ${duration(one.minutes * 60)}`],
    body: () => h("p.reason", seen(one.reason)),
    foot: () => [h("span", "asked ", when(one.asked_at)), quorum(one.needed), one.can_decide ? null : h("span.why", seen(one.cannot_because ?? ""))],
  };
}

function ofReview(one) {
  return {
    ...ofGrant(one), key: `review ${one.id}`, spoken: `a break-glass of ${one.principal.name} wants a review`,
    left: () => h("span.kind", icon("bolt"), "break-glass"),
    title: () => ["Review: ", seen(one.actions.join(", ")), ` for ${duration(one.minutes * 60)}`],
  };
}

/** How many approvals of each group there are, of those that are needed. */
export function quorum(needed) {
  return needed.map((one) => h("span.quorum", seen(one.group), " ", h("b", `${one.given}/${one.count}`), h("span.sr", " approvals given")));
}

function impact(one) {
  if (one.preview?.rows === null || one.preview?.rows === undefined) return null;
  if (one.preview.how === "counted") return h("span", `${one.preview.rows.toLocaleString()} `, seen(one.preview.note.split(/[:;]/, 1)[0]));
  return h("span", `≤ ${one.preview.rows.toLocaleString()} row${one.preview.rows === 1 ? "" : "s"}`);
}

/** A clock that counts down, and turns red in the last minute. */
export function timeLeft(until) {
  const element = h("span.left", { role: "timer", "aria-live": "off" });
  return tick(element, () => {
    const left = (Date.parse(until) - Date.now()) / 1000;
    element.textContent = left > 0 ? countdown(until) : "time is up";
    element.title = left > 0 ? "time left to decide" : "";
    element.dataset.urgent = String(left < 60);
  });
}
