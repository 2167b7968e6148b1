// How often each rule was met.
import { useState } from "../vendor/hooks.js";
import { Table, Wrong, html, useAsked } from "../ui.js";

const SPANS = { "The last hour": "spans=60&seconds=60", "The last day": "spans=24&seconds=3600", "The last week": "spans=168&seconds=3600" };

export const Detectors = () => {
  const [span, set] = useState("The last hour");
  const { value, error, asking } = useAsked(`/admin/v1/traffic/rates?${SPANS[span]}`);
  const asked = value ? value.spans.reduce((sum, one) => sum + one.asked, 0) : 0;
  const share = (count) => (asked ? `${((count / asked) * 100).toFixed(2)} %` : "-");
  return html`
    <div class="bar">
      <label>Of<select value=${span} onChange=${(event) => set(event.target.value)}>${Object.keys(SPANS).map((name) => html`<option>${name}</option>`)}</select></label>
      <span role="status">${asking ? "One moment" : `${asked} requests, as far as they are at hand`}</span>
    </div>
    <${Wrong} error=${error} />
    <${Table} label="Rules that were met" rows=${value ? [...value.rules].sort((a, b) => b.prompts + b.answers - a.prompts - a.answers) : []} empty="No rule was met." columns=${[
      ["Rule", (one) => html`<a href=${`#/requests`}><code>${one.rule}</code></a>`],
      ["Prompts", (one) => one.prompts],
      ["Answers", (one) => one.answers],
      ["Of all requests", (one) => share(one.prompts + one.answers)],
      ["Then refused", (one) => one.refused],
    ]} />
    <p class="quiet">Whether a finding was right is said at the request itself; <code>countersign feedback list</code> shows what was said.</p>`;
};
