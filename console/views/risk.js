// What the watch saw go wrong, who is held back for it, and what playbooks wait for people to decide.
import { useState } from "../vendor/hooks.js";
import { may, post } from "../api.js";
import { Deed, Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Risk = () => {
  const [note, write] = useState("");
  const decides = may("release") || may("decideRun");
  return html`
    ${decides ? html`<label>What you say about it, on record
      <input value=${note} maxlength="256" onInput=${(event) => write(event.target.value)} />
    </label>` : null}
    ${may("listRuns") ? html`<${Runs} note=${note} />` : null}
    ${may("listRestraints") ? html`<${Held} note=${note} />` : null}
    <${Timelines} note=${note} />
    <${Alerts} />`;
};

// One case: whom, why, by whom, and what the alert rests on; and its end.
export const Case = ({ id }) => {
  const { value, error, again } = useAsked(`/admin/v1/restraints/${encodeURIComponent(id)}`);
  const [reason, write] = useState("");
  const release = async () => {
    await post(`/admin/v1/restraints/${encodeURIComponent(id)}/release`, { reason });
    again();
  };
  return html`
    <p><a href="#/risk">Who is at risk</a> <code>${id}</code></p>
    <${Wrong} error=${error} />
    ${value ? html`
      <dl class="cards">
        <div><dt>Whom</dt><dd>${value.target}</dd></div>
        <div><dt>How far</dt><dd>${value.measure}</dd></div>
        <div><dt>Standing</dt><dd>${value.standing}</dd></div>
        <div><dt>By</dt><dd>${value.by}</dd></div>
        <div><dt>Since</dt><dd><${Time} at=${value.since} whole /></dd></div>
        <div><dt>Until</dt><dd><${Time} at=${value.until} whole /></dd></div>
      </dl>
      <p>${value.reason}</p>
      ${value.because && value.because.length ? html`<h2>What it rests on, the heaviest first</h2><${Because} of=${value.because} />` : null}
      ${value.released ? html`<p class="good" role="status">Released by ${value.released_by}, <${Time} at=${value.released} whole />: ${value.release_reason}</p>` : null}
      ${value.standing === "in-force" && may("release") ? html`
        <div class="bar">
          <label>Why it is released, on record<input value=${reason} maxlength="256" onInput=${(event) => write(event.target.value)} /></label>
          <${Deed} label=${`Release ${id}`} act=${release}>Release<//>
        </div>` : null}` : null}`;
};

const Because = ({ of }) => html`<ul>${of.map((reason) => html`<li>
  <a href=${`#/requests/${reason.request}`}>${reason.what}</a> (${reason.weight.toFixed(1)})</li>`)}</ul>`;

const Runs = ({ note }) => {
  const { value, error, again } = useAsked("/admin/v1/runs?limit=50");
  const decide = (one, word) => async () => {
    await post(`/admin/v1/runs/${encodeURIComponent(one.id)}/${word}`, { note });
    again();
  };
  const deeds = (one) => (one.standing === "waiting" && may("decideRun") ? html`
    <${Deed} label=${`Approve ${one.id}`} act=${decide(one, "approve")}>Approve<//>
    <${Deed} label=${`Decline ${one.id}`} act=${decide(one, "decline")}>Decline<//>` : "-");
  return html`
    <h2>Playbooks</h2>
    <${Wrong} error=${error} />
    <${Table} label="Runs of playbooks, newest first" rows=${value ? value.items : []} empty="No playbook was set off." columns=${[
      ["Began", (one) => html`<${Time} at=${one.began} whole />`],
      ["Playbook", (one) => `${one.playbook}${one.dry ? ", only said what it would do" : ""}`],
      ["About", (one) => one.target],
      ["Looks like", (one) => `${one.pattern}, risk ${one.risk}`],
      ["Standing", (one) => one.standing],
      ["Decide", deeds],
    ]} />`;
};

const Held = ({ note }) => {
  const { value, error, again } = useAsked("/admin/v1/restraints?limit=50");
  const release = (one) => async () => {
    await post(`/admin/v1/restraints/${encodeURIComponent(one.id)}/release`, { reason: note });
    again();
  };
  return html`
    <h2>Held back</h2>
    <${Wrong} error=${error} />
    <${Table} label="Who is held back, newest first" rows=${value ? value.items : []} empty="Nobody is held back." columns=${[
      ["Case", (one) => html`<a href=${`#/risk/${one.id}`}><code>${one.id}</code></a>`],
      ["Whom", (one) => one.target],
      ["How far", (one) => one.measure],
      ["Why", (one) => one.reason],
      ["By", (one) => one.by],
      ["Until", (one) => html`<${Time} at=${one.until} whole />`],
      ["Release", (one) => (one.standing === "in-force" && may("release")
        ? html`<${Deed} label=${`Release ${one.id}`} act=${release(one)}>Release<//>` : one.standing)],
    ]} />`;
};

const Timelines = ({ note }) => {
  const { value, error, again } = useAsked("/admin/v1/watch");
  const calm = (one) => async () => {
    await post("/admin/v1/watch/calm", { of: one.of, reason: note });
    again();
  };
  return html`
    <h2>Timelines</h2>
    <${Wrong} error=${error} />
    <${Table} label="Timelines, the riskiest first" rows=${value ? value.items : []} empty="Nobody is watched." columns=${[
      ["Whose", (one) => one.of],
      ["Risk", (one) => one.risk],
      ["Looks like", (one) => one.pattern || "-"],
      ["Requests", (one) => one.events],
      ["Last", (one) => html`<${Time} at=${one.last} whole />`],
      ["Because", (one) => html`<${Because} of=${one.because} />`],
      ...(may("release") ? [["Harmless", (one) => html`<${Deed} label=${`Calm ${one.of}`} act=${calm(one)}>Calm<//>`]] : []),
    ]} />`;
};

const Alerts = () => {
  const { value, error, again } = useAsked("/admin/v1/traffic/alerts");
  return html`
    <h2>Alerts</h2>
    <${Wrong} error=${error} />
    <${Table} label="Alerts, newest first" rows=${value ? value.items : []} empty="None since this node started." columns=${[
      ["Time", (one) => html`<${Time} at=${one.at} whole />`],
      ["Looks like", (one) => one.pattern],
      ["Whose", (one) => one.of],
      ["Risk", (one) => one.risk],
      ["Because", (one) => html`<${Because} of=${one.because} />`],
    ]} />
    <div class="bar"><button type="button" onClick=${again}>Again</button></div>`;
};
