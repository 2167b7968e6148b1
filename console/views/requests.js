// The last requests by what is asked of them, and one request stage by stage.
import { useState } from "../vendor/hooks.js";
import { may, post, query } from "../api.js";
import { Deed, Outcome, Requests, Time, Wrong, html, milliseconds, useAsked, who } from "../ui.js";

export const RequestList = ({ found }) => {
  const [filters, set] = useState(found ? { found } : {});
  const [cursors, go] = useState([]);
  const cursor = cursors[cursors.length - 1];
  const { value, error, asking, again } = useAsked(query("/admin/v1/traffic", { ...filters, cursor, limit: 50 }));
  const filter = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    go([]);
    set(Object.fromEntries([...form].filter(([, text]) => text)));
  };
  return html`
    <form class="filters" onSubmit=${filter}>
      <label>Who<input name="who" maxlength="256" /></label>
      <label>Model<input name="model" maxlength="128" /></label>
      <label>Outcome<select name="outcome"><option value="">any</option><option>answered</option><option>refused</option><option>unfinished</option></select></label>
      <label>Code<input name="code" size="8" maxlength="6" placeholder="CS0501" /></label>
      <label>Found<input name="found" maxlength="64" placeholder="injection" defaultValue=${found} /></label>
      <label class="tick"><input type="checkbox" name="own" value="true" />Also of the gateway itself</label>
      <button class="first">Filter</button>
    </form>
    <${Wrong} error=${error} />
    <${Requests} rows=${value ? value.items : []} label="Requests, newest first" empty=${asking ? "One moment" : "Nothing fits."} />
    <div class="bar">
      <button type="button" disabled=${!cursors.length} onClick=${() => go(cursors.slice(0, -1))}>Newer</button>
      <button type="button" disabled=${!value || !value.next} onClick=${() => go([...cursors, value.next])}>Older</button>
      <button type="button" onClick=${again}>Again</button>
      <span class="quiet" role="status">Page ${cursors.length + 1}</span>
    </div>`;
};

export const Request = ({ id }) => {
  const { value, error } = useAsked(`/admin/v1/traffic/${encodeURIComponent(id)}`);
  const [said, say] = useState("");
  const [note, write] = useState("");
  const tell = (verdict) => async () => {
    await post("/admin/v1/feedback", { request: id, verdict, note });
    say(`Kept as ${verdict === "false-alarm" ? "a false alarm" : "missed"}.`);
  };
  const row = value && value.request;
  return html`
    <p><a href="#/requests">All requests</a> <code>${id}</code></p>
    <${Wrong} error=${error} />
    ${row ? html`
      <dl class="cards">
        <div><dt>Outcome</dt><dd><${Outcome} of=${row} /> ${row.code || ""}</dd></div>
        <div><dt>Who</dt><dd>${who(row)}</dd></div>
        <div><dt>Model</dt><dd>${row.model || row.route}</dd></div>
        <div><dt>Arrived</dt><dd><${Time} at=${row.at} whole /></dd></div>
        <div><dt>Took</dt><dd>${milliseconds(row.took_ms)}</dd></div>
        <div><dt>Tokens</dt><dd>${row.input_tokens ?? "-"} in, ${row.output_tokens ?? "-"} out</dd></div>
      </dl>
      ${row.why ? html`<p>${row.why}</p>` : null}` : null}
    ${value ? html`
      <h2>Stages</h2>
      <ol class="timeline" aria-label="The stages of the request, in order">
        ${value.stages.map((step, at) => html`<li key=${at}><b>${step.stage}</b> ${step.what} <span class="quiet">record ${step.record}</span></li>`)}
      </ol>
      ${value.stages.length === 0 ? html`<p class="quiet">Its records are not on disk here.</p>` : null}
      <div class="bar">
        ${may("giveFeedback") ? html`
          <label>For whoever tunes the guards<input value=${note} maxlength="256" onInput=${(event) => write(event.target.value)} /></label>
          <${Deed} act=${tell("false-alarm")}>A false alarm<//>
          <${Deed} act=${tell("missed")}>Something was missed<//>` : null}
        ${may("readAudit") ? html`<a href=${`/admin/v1/audit/requests/${encodeURIComponent(id)}`} download=${`${id}.json`}>Records with proofs</a>` : null}
        <span role="status">${said}</span>
      </div>` : null}`;
};
