// How often each rule was met, whether that changes, and what people said of it.
import { useState } from "../vendor/hooks.js";
import { Chart, Table, Time, Wrong, html, useAsked } from "../ui.js";

const SPANS = { "The last hour": "spans=60&seconds=60", "The last day": "spans=24&seconds=3600", "The last week": "spans=168&seconds=3600" };

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

// Whether a rule is met more or less often in the later half of the time than in the earlier one. Three standard deviations, so that
// one rule in several hundred seems to drift by chance.
function drift(over, asked) {
  const half = Math.floor(over.length / 2);
  const [a, b] = [sum(over.slice(0, half)), sum(over.slice(half))];
  const [n, m] = [sum(asked.slice(0, half)), sum(asked.slice(half))];
  if (!n || !m) return { word: "too little to say" };
  const all = (a + b) / (n + m);
  const spread = Math.sqrt(all * (1 - all) * (1 / n + 1 / m));
  const by = spread ? (b / m - a / n) / spread : 0;
  const word = by > 3 ? "more" : by < -3 ? "less" : "steady";
  return { word, mark: word === "steady" ? "" : "warn", shares: `${((a / n) * 100).toFixed(2)} % then ${((b / m) * 100).toFixed(2)} %` };
}

export const Detectors = () => {
  const [span, set] = useState("The last hour");
  const [rule, choose] = useState("");
  const { value, error, asking } = useAsked(`/admin/v1/traffic/rates?${SPANS[span]}`);
  const said = useAsked("/admin/v1/feedback?limit=200");
  const per = value ? value.spans.map((one) => one.asked) : [];
  const asked = sum(per);
  const share = (count) => (asked ? `${((count / asked) * 100).toFixed(2)} %` : "-");
  const alarms = (of, verdict) => (said.value ? said.value.items.filter((one) => one.verdict === verdict && one.rules.includes(of)).length : "-");
  const drifts = (one) => {
    const { word, mark, shares } = drift(one.over, per);
    return html`<span class=${mark}>${word}</span>${shares ? html` <span class="quiet">${shares}</span>` : null}`;
  };
  const shown = value && value.rules.find((one) => one.rule === rule);
  const until = value && Math.floor(new Date(value.until).getTime() / 1000);
  return html`
    <div class="bar">
      <label>Of<select value=${span} onChange=${(event) => set(event.target.value)}>${Object.keys(SPANS).map((name) => html`<option>${name}</option>`)}</select></label>
      <span role="status">${asking ? "One moment" : `${asked} requests, as far as they are at hand`}</span>
    </div>
    <${Wrong} error=${error} />
    <${Table} label="Rules that were met" rows=${value ? [...value.rules].sort((a, b) => b.prompts + b.answers - a.prompts - a.answers) : []} empty="No rule was met." columns=${[
      ["Rule", (one) => html`<a href=${`#/requests/${encodeURIComponent(`found:${one.rule}`)}`}><code>${one.rule}</code></a>`],
      ["Prompts", (one) => one.prompts],
      ["Answers", (one) => one.answers],
      ["Of all requests", (one) => share(sum(one.over))],
      ["Then refused", (one) => one.refused],
      ["Earlier and later half", drifts],
      ["False alarms", (one) => alarms(one.rule, "false-alarm")],
      ["Over time", (one) => html`<button type="button" aria-label=${`Show ${one.rule} over time`} aria-pressed=${rule === one.rule} onClick=${() => choose(rule === one.rule ? "" : one.rule)}>Show</button>`],
    ]} />
    ${shown ? html`<${Chart} title=${`${rule}, in ${value.seconds / 60} minutes each`} unit="" times=${value.spans.map((_, at) => until - (value.spans.length - at) * value.seconds)} series=${[
      { name: "requests that met it", values: shown.over, colour: "--link" }]} />` : null}
    <h2>What people said</h2>
    <${Wrong} error=${said.error} />
    <${Table} label="What people said of verdicts, newest first" rows=${said.value ? said.value.items : []} empty="Nobody said anything of a verdict." columns=${[
      ["Time", (one) => html`<${Time} at=${one.at} whole />`],
      ["Request", (one) => html`<a href=${`#/requests/${one.request}`}><code>${one.request.slice(0, 14)}</code></a>`],
      ["Verdict", (one) => one.verdict],
      ["Rules", (one) => one.rules.join(", ") || "-"],
      ["In words", (one) => one.note || "-"],
    ]} />
    <p class="quiet">A rule leads to the requests that met it; whether a finding was right is said at the request. Nothing is learnt from it by itself.</p>`;
};
