// `blastwall login`: the code on the terminal is confirmed here, by whoever is signed in, after a look at what asks.

import { postAuth } from "../api.js";
import { announce, fill, h, seen, text } from "../dom.js";
import { button, busy, card, facts, field, head, input, note, when } from "../parts.js";

const ENDED = {
  confirmed: ["allow", "Confirmed", "Your terminal is signed in as you. You can close this page."],
  refused: ["deny", "Refused", "Nothing was signed in. If you did not start it, somebody tried to be let in as you: tell your security people."],
};

export async function show(page) {
  const code = input({ value: page.params.code ?? "", autocapitalize: "characters", maxlength: "20", class: "code codefield" });
  const asked = field("Code", code, { hint: "As your terminal shows it." });
  const failed = h("div.failed");
  const result = h("div.stack", { role: "status" });
  const look = button("Look at it", { kind: "primary", type: "submit", name: "search" });
  const form = h("form.narrow", asked, failed, h("div.verdict", look));
  const act = (control, decision) => busy(control, failed, async () => {
    const found = await postAuth("/device/confirm", { user_code: code.value.trim().toUpperCase(), decision });
    form.hidden = true;
    fill(result, shown(page, found, act));
    result.querySelector("button")?.focus();
    if (ENDED[found.state]) announce(ENDED[found.state][1], true);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    asked.fail(code.value.trim() ? "" : "Type the code.");
    if (code.value.trim()) act(look, "look");
  });
  fill(page.main, head("Confirm a device", ["It will be signed in as ", text(page.me.name, "b"), "."]), card(null, form, result));
}

function shown(page, found, act) {
  const end = ENDED[found.state];
  if (end) return note(end[0], h("p.title", end[1]), h("p", end[2]));
  const refuse = button("Refuse", { kind: "danger", name: "cross", onclick: () => act(refuse, "refuse") });
  const allow = button(`Sign it in as ${page.me.name}`, { kind: "primary", name: "check", onclick: () => act(allow, "allow") });
  return h("div.narrow",
    facts(["Code", h("code.bigcode", seen(found.user_code))], ["It calls itself", text(found.client)], ["It asks from", h("code", seen(found.source))], ["Asked", when(found.asked_at)]),
    note("hold", h("p.title", "Only if it is yours"), h("p", "Sign it in only if you started ", h("code", "blastwall login"), " yourself, just now, and your terminal shows this code. A code that somebody sent you would let them act as you.")),
    h("div.verdict", refuse, allow));
}
