// What the watch saw go wrong.
import { Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Risk = () => {
  const { value, error, again } = useAsked("/admin/v1/traffic/alerts");
  return html`
    <div class="bar"><button type="button" onClick=${again}>Again</button></div>
    <${Wrong} error=${error} />
    <${Table} label="Alerts, newest first" rows=${value ? value.items : []} empty="No timeline went wrong since this node started." columns=${[
      ["Time", (one) => html`<${Time} at=${one.at} whole />`],
      ["Looks like", (one) => one.pattern],
      ["Whose", (one) => one.of],
      ["Risk", (one) => html`<span class="number">${one.risk}</span>`],
      ["Because", (one) => html`<ul>${one.because.map((reason) => html`<li>
        <a href=${`#/requests/${reason.request}`}>${reason.what}</a> (${(reason.weight / 1000).toFixed(1)})</li>`)}</ul>`],
    ]} />`;
};
