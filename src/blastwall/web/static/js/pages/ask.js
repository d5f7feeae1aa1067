// Asking for access.

import { get, post } from "../api.js";
import { fill, h, to } from "../dom.js";
import { button, busy, card, crumb, field, head, input, select } from "../parts.js";

export const ACTIONS = ["connect", "read", "create", "update", "delete", "define", "drop", "entitle", "reveal", "execute", "export", "admin"];

export async function show(page) {
  const resources = await get("/resources", { limit: 200 }, page.signal);
  const resource = select(resources.items.map((one) => [one.name, one.name]), page.query.get("resource") ?? resources.items[0]?.name ?? "");
  const asked = asking(resource);
  const failed = h("div.failed");
  const send = button("Ask for access", { kind: "primary", type: "submit", name: "key" });
  const form = h("form.narrow", asked.fields, failed, h("div.verdict", send));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = asked.read();
    if (!body) return;
    busy(send, failed, async () => {
      const made = await post("/grants", body, { once: true });
      location.hash = to("grants", made.id);
    });
  });
  fill(page.main, crumb("Grants", "#/grants"), head("Ask for access", "What no policy foresees cannot be granted; who approves it is named by the policy."), card(null, form));
}

/** The fields that a grant and a break-glass have in common; `read()` gives the body, or null and says what is missing. */
export function asking(resource) {
  const boxes = ACTIONS.map((action) => h("label.option", h("input", { type: "checkbox", name: "action", value: action, checked: action === "connect" || action === "read" }), h("span", action)));
  const wrong = h("p.error", { hidden: true, role: "alert" });
  const actions = h("fieldset.actionsbox", h("legend", "Actions"), h("div.boxes", boxes), wrong);
  const minutes = input({ type: "number", min: "1", max: "1440", value: "60", inputmode: "numeric", required: true });
  const reason = field("Reason", h("textarea", { rows: "3", maxlength: "1000" }), { hint: "For those who decide, and for the record." });
  const read = () => {
    const chosen = boxes.map((box) => box.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
    const said = reason.querySelector("textarea").value.trim();
    wrong.hidden = chosen.length > 0;
    wrong.textContent = chosen.length ? "" : "Choose at least one action.";
    reason.fail(said ? "" : "Say why.");
    if (!chosen.length || !said || !minutes.reportValidity()) return null;
    return { resource: resource.value, actions: chosen, reason: said, minutes: Number(minutes.value) };
  };
  return { fields: [field("Resource", resource), actions, field("Minutes", minutes, { hint: "It ends by itself; open sessions end with it." }), reason], read };
}
