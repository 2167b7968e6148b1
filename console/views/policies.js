// The policies in force.
import { Table, Wrong, html, useAsked } from "../ui.js";

export const Policies = () => {
  const { value, error, again } = useAsked("/admin/v1/policies?limit=200");
  return html`
    <p>In force on this node, in the order in which they stand. Their text is in files, where changes are seen and tested:
      <code>countersign policy test</code> and <code>countersign policy diff</code>.</p>
    <${Wrong} error=${error} />
    <${Table} label="Policies" rows=${value ? value.items : []} empty="There are none: everything is refused." columns=${[
      ["Policy", (one) => (one.id ? html`<code>${one.id}</code>` : "without a name")],
      ["Effect", (one) => html`<span class=${one.effect === "forbid" ? "bad" : "good"}>${one.effect}</span>`],
      ["File", (one) => `${one.file}, line ${one.line}`],
      ["Step-up", (one) => one.step_up || "-"],
    ]} />
    <div class="bar"><button type="button" onClick=${again}>Again</button></div>`;
};
