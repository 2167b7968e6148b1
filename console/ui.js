// What the views share.
import { h, Component } from "./vendor/preact.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";
import { ask } from "./api.js";

export const html = htm.bind(h);

// A value that is asked for when the view opens and when `again` is called.
export function useAsked(path) {
  const [state, set] = useState({ value: undefined, error: undefined, asking: true });
  const [turn, again] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    set((before) => ({ ...before, asking: true }));
    ask(path, { signal: abort.signal }).then(
      (value) => set({ value, error: undefined, asking: false }),
      (error) => abort.signal.aborted || set({ value: undefined, error, asking: false }),
    );
    return () => abort.abort();
  }, [path, turn]);
  return { ...state, again: () => again((n) => n + 1) };
}

export const Wrong = ({ error }) =>
  error
    ? html`<p class="wrong" role="alert">${error.message}${error.code ? html` <code>${error.code}</code>` : null}</p>`
    : null;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const Time = ({ at, whole }) => {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return html`<span>-</span>`;
  return html`<time datetime=${date.toISOString()} title=${date.toISOString()}>${(whole ? day : clock).format(date)}</time>`;
};

const WORDS = { answered: "answered", refused: "refused", unfinished: "unfinished" };

// The word carries the meaning; colour only helps.
export const Outcome = ({ of }) => html`<span class=${`mark ${of.outcome}`}>${WORDS[of.outcome] || of.outcome}</span>`;

export const who = (of) => (of.who ? `${of.who.tenant}/${of.who.subject}` : "nobody known");

export const milliseconds = (of) => (of >= 1000 ? `${(of / 1000).toFixed(2)} s` : `${of.toFixed(of < 10 ? 1 : 0)} ms`);

// A table of requests; each row's link opens the request.
export const Requests = ({ rows, label, empty }) => html`
  <div class="scroll" role="region" aria-label=${label} tabindex="0">
    <table>
      <caption class="unseen">${label}</caption>
      <thead>
        <tr><th scope="col">Time</th><th scope="col">Request</th><th scope="col">Who</th><th scope="col">Model</th>
        <th scope="col">Outcome</th><th scope="col">Found</th><th scope="col">Took</th></tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`
          <tr key=${row.id}>
            <td><${Time} at=${row.at} /></td>
            <td><a href=${`#/requests/${row.id}`}><code>${row.id.slice(0, 14)}</code></a></td>
            <td>${who(row)}</td>
            <td>${row.model || row.route}</td>
            <td><${Outcome} of=${row} />${row.code ? html` <code>${row.code}</code>` : null}</td>
            <td>${[...new Set(row.found.map((found) => found.rule))].slice(0, 3).join(", ")}</td>
            <td class="number">${milliseconds(row.took_ms)}</td>
          </tr>`)}
        ${rows.length === 0 ? html`<tr><td colspan="7" class="quiet">${empty}</td></tr>` : null}
      </tbody>
    </table>
  </div>`;

// A plain table: `columns` are pairs of a heading and what a row shows there.
export const Table = ({ label, rows, columns, empty }) => html`
  <div class="scroll" role="region" aria-label=${label} tabindex="0">
    <table>
      <caption class="unseen">${label}</caption>
      <thead><tr>${columns.map(([name]) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>
        ${rows.map((row, at) => html`<tr key=${row.id || at}>${columns.map(([, show]) => html`<td>${show(row)}</td>`)}</tr>`)}
        ${rows.length === 0 ? html`<tr><td colspan=${columns.length} class="quiet">${empty}</td></tr>` : null}
      </tbody>
    </table>
  </div>`;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A chart over time. A table says the same to whoever cannot see it.
export const Chart = ({ title, times, series, unit }) => {
  const place = useRef(null);
  const shown = useRef(null);
  const dark = useDark();
  const shape = `${dark}:${series.map((one) => one.name).join()}`;
  useEffect(() => {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const options = {
      width: place.current.clientWidth || 600,
      height: 190,
      legend: { show: false },
      cursor: { show: false },
      axes: [axis, { ...axis, size: 56 }],
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1)] } },
      series: [{}, ...series.map((one) => ({ label: one.name, stroke: colour(one.colour), width: 2, dash: one.dash, points: { show: times.length < 15, size: 5 } }))],
    };
    shown.current = new window.uPlot(options, [times, ...series.map((one) => one.values)], place.current);
    const resized = new ResizeObserver(([{ contentRect }]) => shown.current && shown.current.setSize({ width: contentRect.width, height: 190 }));
    resized.observe(place.current);
    return () => {
      resized.disconnect();
      shown.current.destroy();
      shown.current = null;
    };
  }, [shape]);
  useEffect(() => {
    if (shown.current) shown.current.setData([times, ...series.map((one) => one.values)]);
  });
  const last = (values) => values[values.length - 1] ?? 0;
  return html`
    <figure>
      <figcaption>${title}: ${series.map((one, at) => html`${at ? ", " : ""}<span class=${`key ${one.mark || ""}`}>${one.name}</span> ${Math.round(last(one.values) * 10) / 10}${unit}`)}</figcaption>
      <div class="chart" ref=${place} role="img" aria-label=${`${title}; the newest values are in the caption`}></div>
    </figure>`;
};

function useDark() {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const [dark, set] = useState(media.matches);
  useEffect(() => {
    const changed = (event) => set(event.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  return dark;
}

// A button that does something once, says that it is being done, and what went wrong.
export class Deed extends Component {
  constructor() {
    super();
    this.state = { busy: false, error: undefined };
    this.act = async () => {
      if (this.props.sure && !window.confirm(this.props.sure)) return;
      this.setState({ busy: true, error: undefined });
      try {
        await this.props.act();
        this.setState({ busy: false });
      } catch (error) {
        this.setState({ busy: false, error });
      }
    };
  }

  render({ children, label }, { busy, error }) {
    return html`<span class="deed">
      <button type="button" onClick=${this.act} disabled=${busy} aria-label=${label}>${busy ? "Working" : children}</button>
      <${Wrong} error=${error} /></span>`;
  }
}
