// Who I am here, and what that allows.

import { fill, h, text } from "../dom.js";
import { button, card, chips, facts, head, when } from "../parts.js";

const ROLES = {
  viewer: "sees sessions' cards, approvals, grants, agents, resources, policies and health",
  approver: "decides what waits for a group that this person is in",
  auditor: "reads what was said in sessions, and closes reviews",
  operator: "contains and lifts, ends sessions, revokes grants",
};

export async function show(page) {
  const me = page.me;
  fill(page.main, head(["You are ", text(me.name)]), card(null, facts(["Kind", me.kind], ["Groups", chips(me.groups, "Groups")], me.signed_in_until ? ["Signed in until", when(me.signed_in_until)] : null)),
    card("Roles", h("ul.roles", Object.entries(ROLES).map(([role, may]) => h("li", { "data-held": String(me.roles.includes(role)) }, h("b", role), h("span", me.roles.includes(role) ? ` – ${may}` : ` – not yours: ${may}`)))),
    h("div", button("Sign out", { name: "out", onclick: () => document.dispatchEvent(new CustomEvent("signout")) }))));
}
