// Requests as they end.
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { ask, follow } from "../api.js";
import { Requests, Wrong, html } from "../ui.js";

const SHOWN = 50;

export const Live = () => {
  const [rows, set] = useState([]);
  const [state, connected] = useState("waiting");
  const [missed, count] = useState(0);
  const [alerts, raise] = useState([]);
  const [error, wrong] = useState(undefined);
  const [paused, pause] = useState(false);
  const held = useRef([]);
  const still = useRef(false);
  still.current = paused;

  useEffect(() => {
    const take = (items) => {
      held.current = [...[...items].reverse(), ...held.current].slice(0, SHOWN);
      if (!still.current) set(held.current);
    };
    ask(`/admin/v1/traffic?limit=${SHOWN}`).then(({ items }) => take([...items].reverse()), wrong);
    return follow({
      requests: (news) => {
        if (news.missed) count((n) => n + news.missed);
        const own = ["desk", "metrics", "models", "unknown", "supportedentities"];
        const known = new Set(held.current.map((row) => row.id));
        const fresh = news.items.filter((row) => !own.includes(row.route) && !known.has(row.id));
        if (fresh.length) take(fresh);
      },
      alert: (alarm) => raise((before) => [alarm, ...before].slice(0, 5)),
      state: connected,
    });
  }, []);

  const words = { open: "Following", waiting: "Connecting", closed: "Not connected" };
  return html`
    <div class="bar">
      <span role="status">${words[state]}${missed ? `; ${missed} came too fast to be shown here` : ""}</span>
      <button type="button" aria-pressed=${paused} onClick=${() => { if (paused) set(held.current); pause(!paused); }}>${paused ? "Go on" : "Hold still"}</button>
    </div>
    <${Wrong} error=${error} />
    <div role="alert">${alerts.map((alarm) => html`<p class="bad"><a href="#/risk">${alarm.pattern}</a>: ${alarm.of}, risk ${alarm.risk}</p>`)}</div>
    <${Requests} rows=${rows} label="The newest requests, newest first" empty="Nothing was asked yet." />`;
};
