// How the node stands, and how much is asked.
import { useEffect, useState } from "../vendor/hooks.js";
import { follow, may } from "../api.js";
import { Chart, Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Health = () => {
  const { value, error, again } = useAsked("/admin/v1/status");
  return html`
    <${Wrong} error=${error} />
    ${value ? html`
      <dl class="cards">
        <div><dt>Recording</dt><dd class=${value.recording ? "good" : "bad"}>${value.recording ? "yes" : "no: everything is refused"}</dd></div>
        <div><dt>Records signed</dt><dd>${value.records}</dd></div>
        <div><dt>In flight</dt><dd>${value.in_flight}</dd></div>
        <div><dt>Node</dt><dd>${value.node}</dd></div>
        <div><dt>Release</dt><dd>${value.version}</dd></div>
      </dl>
      ${value.issuers.length ? html`
        <h2>Issuers of tokens</h2>
        <${Table} label="Issuers of tokens" rows=${value.issuers} empty="" columns=${[
          ["Issuer", (one) => one.name],
          ["Keys", (one) => one.keys],
          ["Fetched", (one) => (one.fetched ? html`<${Time} at=${one.fetched} whole />` : "never")],
          ["Usable", (one) => html`<span class=${one.usable ? "good" : "bad"}>${one.usable ? "yes" : "no"}</span>`],
        ]} />` : null}` : null}
    <button type="button" onClick=${again}>Again</button>
    ${may("readTraffic") ? html`<h2>The last hour</h2><${Charts} />` : null}`;
};

const Charts = () => {
  const { value, error } = useAsked("/admin/v1/traffic/rates?spans=60&seconds=60");
  const [spans, set] = useState([]);
  useEffect(() => {
    if (!value) return undefined;
    const until = Math.floor(new Date(value.until).getTime() / 1000);
    const begin = value.spans.map((span, at) => ({ ...span, at: until - (value.spans.length - at) * value.seconds }));
    set(begin);
    // From here on the newest span grows with what is told.
    return follow({
      requests: ({ items, missed }) => {
        const own = ["desk", "metrics", "models", "unknown", "supportedentities"];
        const asked = items.filter((row) => !own.includes(row.route));
        if (!asked.length && !missed) return;
        set((before) => {
          const now = Math.floor(Date.now() / 1000);
          const spans = before.slice();
          while (spans.length && now >= spans[spans.length - 1].at + value.seconds) {
            spans.push({ asked: 0, refused: 0, found: 0, at: spans[spans.length - 1].at + value.seconds });
            spans.shift();
          }
          const last = { ...spans[spans.length - 1] };
          last.asked += asked.length + missed;
          last.refused += asked.filter((row) => row.outcome === "refused").length;
          last.found += asked.filter((row) => row.found.length).length;
          spans[spans.length - 1] = last;
          return spans;
        });
      },
      alert: () => {},
      state: () => {},
    });
  }, [value]);
  const times = spans.map((span) => span.at);
  const of = (name) => spans.map((span) => span[name] ?? null);
  return html`
    <${Wrong} error=${error} />
    ${spans.length ? html`
      <${Chart} title="Requests a minute" times=${times} unit="" series=${[
        { name: "asked", values: of("asked"), colour: "--link" },
        { name: "refused", values: of("refused"), colour: "--bad", dash: [6, 4], mark: "bad" },
        { name: "with findings", values: of("found"), colour: "--warn", dash: [2, 3], mark: "warn" },
      ]} />
      <${Chart} title="Time from arrival to end" times=${times} unit=" ms" series=${[
        { name: "half of them", values: of("p50_ms"), colour: "--link" },
        { name: "99 of 100", values: of("p99_ms"), colour: "--warn", dash: [2, 3], mark: "warn" },
      ]} />` : null}
    ${value && value.missed ? html`<p class="warn">${value.missed} requests came too fast to be counted here; they are in the audit log.</p>` : null}`;
};
