// What an agent can reach: a row a database, a column an action, and in each cell what policy says.

import { h, icon } from "./dom.js";
import { place } from "./parts.js";

const ORDER = ["connect", "read", "create", "update", "delete", "define", "drop", "entitle", "reveal", "execute", "export", "admin", "unclassified"];
const SAYS = { allow: ["check", "allowed"], hold: ["hand", "held for approval"], grant: ["key", "needs a grant"], deny: ["cross", "denied"] };

/** The matrix; on a phone each row becomes a card that names the actions. */
export function matrix(reach, caption) {
  const actions = ORDER.filter((action) => reach.some((one) => action in one.actions));
  const extra = [...new Set(reach.flatMap((one) => Object.keys(one.actions)))].filter((action) => !ORDER.includes(action));
  const columns = [...actions, ...extra];
  return h("div.matrixbox", { tabindex: "0", role: "region", "aria-label": caption },
    h("table.matrix", { role: "table" }, h("caption.sr", caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, h("th", { role: "columnheader", scope: "col" }, "Database"), columns.map((action) => h("th", { role: "columnheader", scope: "col" }, action)))),
      h("tbody", { role: "rowgroup" }, reach.map((one) => h("tr", { role: "row" },
        h("th", { role: "rowheader", scope: "row" }, place(one.resource, one.database)),
        columns.map((action) => cell(action, one.actions[action] ?? "deny")))))));
}

function cell(action, says) {
  const [name, words] = SAYS[says] ?? ["clock", says];
  return h("td", { role: "cell", "data-says": says, title: `${action}: ${words}` }, icon(name), h("span.action", { "aria-hidden": "true" }, action), h("span.sr", words));
}

/** What the signs in the matrix mean. */
export function legend() {
  return h("ul.legend", { "aria-label": "Legend" }, Object.entries(SAYS).map(([says, [name, words]]) => h("li", { "data-says": says }, icon(name), h("span", words))));
}
