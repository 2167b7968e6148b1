// Access that people asked for: to approve, to deny, to end, to review.
import { useState } from "../vendor/hooks.js";
import { may, post } from "../api.js";
import { Deed, Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Access = () => {
  const { value, error, again } = useAsked("/admin/v1/access?limit=200");
  const [note, write] = useState("");
  const act = (one, word, body) => async () => {
    await post(`/admin/v1/access/${encodeURIComponent(one.id)}/${word}`, body);
    again();
  };
  const deeds = (one) => html`
    ${one.standing === "pending" && may("approveRequest") ? html`<${Deed} label=${`Approve ${one.id}`} act=${act(one, "approve", { note })}>Approve<//>` : null}
    ${one.standing === "pending" && may("denyRequest") ? html`<${Deed} label=${`Deny ${one.id}`} act=${act(one, "deny", { note })}>Deny<//>` : null}
    ${one.standing === "granted" && may("endGrant") ? html`<${Deed} label=${`End ${one.id}`} sure="End it now? Sessions on it are cut." act=${act(one, "end")}>End<//>` : null}
    ${one.broke_glass && !one.review && may("reviewAccess") ? html`
      <${Deed} label=${`Justified: ${one.id}`} act=${act(one, "review", { justified: true, note })}>Justified<//>
      <${Deed} label=${`Not justified: ${one.id}`} act=${act(one, "review", { justified: false, note })}>Not justified<//>` : null}`;
  return html`
    <label>What you say about it, on record
      <input value=${note} maxlength="256" onInput=${(event) => write(event.target.value)} />
    </label>
    <div class="bar"><button type="button" onClick=${again}>Again</button></div>
    <${Wrong} error=${error} />
    <${Table} label="Access, newest first" rows=${value ? value.items : []} empty="Nobody asked for access." columns=${[
      ["Case", (one) => html`<code>${one.id}</code>`],
      ["Standing", (one) => html`${one.standing}${one.broke_glass ? ", without approval" : ""}`],
      ["Access", (one) => one.access],
      ["Holder", (one) => one.holder],
      ["For", (one) => one.purpose],
      ["Until", (one) => (one.ends ? html`<${Time} at=${one.ends} whole />` : "-")],
      ["Decide", deeds],
    ]} />`;
};
