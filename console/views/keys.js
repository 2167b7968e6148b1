// API keys: which there are, and their end.
import { may, post } from "../api.js";
import { Deed, Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Keys = () => {
  const { value, error, again } = useAsked("/admin/v1/keys?limit=200");
  const end = (one) => async () => {
    await post(`/admin/v1/keys/${encodeURIComponent(one.id)}/revoke`);
    again();
  };
  return html`
    <${Wrong} error=${error} />
    <${Table} label="API keys" rows=${value ? value.items : []} empty="There are none." columns=${[
      ["Key", (one) => html`<code>${one.id}</code>`],
      ["Whose", (one) => `${one.tenant}/${one.subject}`],
      ["Kind", (one) => one.kind],
      ["Roles", (one) => one.roles.join(", ")],
      ["Made", (one) => html`<${Time} at=${one.created} whole />`],
      ["Standing", (one) => one.standing],
      ["End", (one) => (one.standing === "active" && may("revokeKey")
        ? html`<${Deed} label=${`Revoke ${one.id}`} sure=${`Revoke the key of ${one.subject}? There is no way back.`} act=${end(one)}>Revoke<//>` : "-")],
    ]} />
    <div class="bar"><button type="button" onClick=${again}>Again</button></div>`;
};
