// The audit log: whether it holds, and its newest checkpoint to keep elsewhere.
import { useState } from "../vendor/hooks.js";
import { post } from "../api.js";
import { Deed, Table, Wrong, html, milliseconds, useAsked } from "../ui.js";

export const Audit = () => {
  const { value, error, again } = useAsked("/admin/v1/audit/checkpoint");
  const [report, set] = useState(undefined);
  const verify = async () => set(await post("/admin/v1/audit/verify"));
  return html`
    <p>Every record is a leaf of a Merkle tree whose root is signed once a second. Verifying reads the whole log of this node.</p>
    <${Deed} act=${verify}>Verify the log<//>
    <div role="status">
      ${report ? html`
        <p class=${report.whole ? "good" : "bad"}>${report.whole
          ? `The log holds: ${report.held} records, ${report.signed} under the signed checkpoint, read in ${milliseconds(report.took_ms)}.`
          : `The log is damaged in ${report.damages} places; ${report.held} records hold.`}</p>
        ${report.forgotten ? html`<p>${report.forgotten} texts are of somebody who was forgotten.</p>` : null}` : null}
    </div>
    ${report && !report.whole ? html`
      <${Table} label="What is damaged" rows=${report.damage} empty="" columns=${[
        ["Record", (one) => one.record ?? "-"],
        ["What", (one) => one.what],
        ["File", (one) => one.file],
      ]} />` : null}
    <h2>Newest checkpoint</h2>
    <${Wrong} error=${error} />
    ${value ? html`<pre tabindex="0" aria-label="The newest checkpoint">${value}</pre>` : null}
    <div class="bar">
      <a href="/admin/v1/audit/checkpoint" download="checkpoint.txt">Keep it elsewhere</a>
      <button type="button" onClick=${again}>Again</button>
    </div>
    <p class="quiet">Proofs of one request are beside it, under Requests.</p>`;
};
