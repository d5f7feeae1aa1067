// Break-glass: access without an approval, told to everybody, reviewed afterwards.

import { get, post } from "../api.js";
import { fill, h, to } from "../dom.js";
import { button, busy, card, crumb, field, head, input, note, segmented, select } from "../parts.js";
import { asking } from "./ask.js";

export async function show(page) {
  const [resources, agents] = await Promise.all([get("/resources", { limit: 200 }, page.signal), get("/agents", { limit: 200 }, page.signal)]);
  const resource = select(resources.items.map((one) => [one.name, one.name]), page.query.get("resource") ?? resources.items[0]?.name ?? "");
  const names = h("datalist", { id: "glass-names" }, agents.items.map((one) => h("option", { value: one.name })));
  const name = input({ list: "glass-names", required: true, value: page.me.kind === "user" ? page.me.name : "" });
  let kind = "user";
  const asked = asking(resource);
  const failed = h("div.failed");
  const send = button("Open access now", { kind: "danger solid", type: "submit", name: "bolt" });
  const who = field("Name", name);
  const form = h("form.narrow", segmented("For whom", "kind", [["user", "A user"], ["agent", "An agent"]], kind, (value) => { kind = value; }), who, names, asked.fields, failed, h("div.verdict", send));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    who.fail(name.value.trim() ? "" : "Name whom it is for.");
    const body = asked.read();
    if (!body || !name.value.trim()) return;
    busy(send, failed, async () => {
      const made = await post("/break-glass", { kind, name: name.value.trim(), ...body }, { once: true });
      location.hash = to("grants", made.id);
    });
  });
  fill(page.main, crumb("Grants", "#/grants"), head("Break glass"), note("deny", h("p.title", "Access at once, without an approval"), h("p", "For incidents alone. Everybody who is told of incidents is told now, and the review stays open until an auditor closes it. What policy forbids stays forbidden.")), card(null, form));
}
