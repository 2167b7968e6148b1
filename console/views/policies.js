// The policies in force, drafts of others, and putting one in force.
import { useState } from "../vendor/hooks.js";
import { may, post } from "../api.js";
import { Deed, Table, Time, Wrong, html, useAsked } from "../ui.js";

export const Policies = () => {
  const { value, error, again } = useAsked("/admin/v1/policies?limit=200");
  const text = useAsked("/admin/v1/policies/text");
  const saved = () => { again(); text.again(); };
  return html`
    <p>In force on this node, in the order in which they stand.</p>
    <${Wrong} error=${error} />
    <${Table} label="Policies" rows=${value ? value.items : []} empty="There are none: everything is refused." columns=${[
      ["Policy", (one) => (one.id ? html`<code>${one.id}</code>` : "without a name")],
      ["Effect", (one) => html`<span class=${one.effect === "forbid" ? "bad" : "good"}>${one.effect}</span>`],
      ["File", (one) => `${one.file}, line ${one.line}`],
      ["Step-up", (one) => one.step_up || "-"],
    ]} />
    <${Wrong} error=${text.error} />
    ${text.value ? html`<${Drafts} of=${text.value} saved=${saved} key=${text.value.version} />` : null}`;
};

// What is typed stands here until it is saved; nothing of it is kept when the view is left.
const Drafts = ({ of, saved }) => {
  const [name, choose] = useState(of.files[0].file);
  const [drafts, write] = useState({});
  const [told, tell] = useState({});
  const file = of.files.find((one) => one.file === name);
  const text = drafts[name] ?? file.text;
  const changed = text !== file.text;
  const set = (next) => { write({ ...drafts, [name]: next }); tell({}); };
  const draft = { file: name, text };
  const check = async () => {
    const { policies } = await post("/admin/v1/policies/try", { draft });
    tell({ checked: `It holds: ${policies} policies with it.` });
  };
  const simulate = async () => tell({ simulated: await post("/admin/v1/policies/simulate", draft) });
  return html`
    <h2>Text</h2>
    <div class="bar">
      <label>File<select value=${name} onChange=${(event) => { choose(event.target.value); tell({}); }}>
        ${of.files.map((one) => html`<option>${one.file}</option>`)}</select></label>
      <button type="button" disabled=${!changed} onClick=${() => set(file.text)}>As in force</button>
      ${file.before === undefined ? null : html`<button type="button" disabled=${text === file.before} onClick=${() => set(file.before)}>As before the last save</button>`}
      <span class="quiet" role="status">${changed ? "A draft: not in force" : `In force on ${of.node}`}</span>
    </div>
    <label>Text of ${name}
      <textarea class="code" spellcheck=${false} value=${text} onInput=${(event) => set(event.target.value)}></textarea>
    </label>
    <div class="bar">
      <${Deed} act=${check}>Check the draft<//>
      ${may("readTraffic") ? html`<${Deed} act=${simulate}>Simulate on the last requests<//>` : null}
      <button type="button" onClick=${() => download(name, text)}>Download the draft</button>
    </div>
    <p role="status" class="good">${told.checked}</p>
    ${told.simulated ? html`<${Simulated} of=${told.simulated} />` : null}
    ${changed && may("writePolicy") && of.editable ? html`<${Save} of=${of} draft=${draft} simulated=${Boolean(told.simulated)} saved=${saved} />` : null}
    ${of.editable ? null : html`<p class="quiet">This gateway does not change its policy files: put the draft where they come from, and reload.</p>`}
    <${Question} draft=${draft} />`;
};

const Save = ({ of, draft, simulated, saved }) => {
  const [note, write] = useState("");
  const save = async () => {
    await post("/admin/v1/policies/save", { draft, of: of.version, note });
    saved();
  };
  return html`
    <div class="bar">
      <label>Why, on record<input value=${note} maxlength="256" onInput=${(event) => write(event.target.value)} /></label>
      <${Deed} act=${save} sure=${`Put it in force on ${of.node} now?${simulated ? "" : " It was not simulated."}`}>Save<//>
    </div>`;
};

const Simulated = ({ of }) => html`
  <p role="status">${of.requests} requests on record were asked about; ${of.differ.length} of ${of.questions} decisions would be another.</p>
  ${of.left_out.length ? html`<p class="warn">Read by the policies and on no record, so left out: ${of.left_out.join(", ")}.</p>` : null}
  ${of.differ.length ? html`<${Table} label="Decisions that would be another, newest first" rows=${of.differ} empty="" columns=${[
    ["Time", (one) => html`<${Time} at=${one.at} whole />`],
    ["Request", (one) => html`<a href=${`#/requests/${one.request}`}><code>${one.request.slice(0, 14)}</code></a>`],
    ["Who", (one) => one.who],
    ["What", (one) => one.what],
    ["Is", (one) => one.was],
    ["Would be", (one) => one.becomes],
  ]} />` : null}`;

const list = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

// One question to what is in force and to the draft.
const Question = ({ draft }) => {
  const [said, tell] = useState(undefined);
  const [error, wrong] = useState(undefined);
  const put = async (event) => {
    event.preventDefault();
    const { tenant, subject, kind, roles, action, model, more } = Object.fromEntries(new FormData(event.target));
    try {
      const rest = more.trim() ? JSON.parse(more) : {};
      const ask = { tenant, subject, kind, roles: list(roles), action, [action === "callTool" ? "tool" : "model"]: model, ...rest };
      tell(await post("/admin/v1/policies/try", { draft, ask }));
      wrong(undefined);
    } catch (refused) {
      tell(undefined);
      wrong(refused);
    }
  };
  return html`
    <h2>Ask one question</h2>
    <form class="filters" onSubmit=${put}>
      <label>Tenant<input name="tenant" value="default" maxlength="128" /></label>
      <label>Subject<input name="subject" value="someone" maxlength="256" /></label>
      <label>Kind<select name="kind"><option>person</option><option>service</option><option>agent</option></select></label>
      <label>Roles, with commas<input name="roles" maxlength="512" /></label>
      <label>Action<input name="action" value="ask" maxlength="32" /></label>
      <label>Model or tool<input name="model" maxlength="128" /></label>
      <label>More of the context, as JSON<input name="more" maxlength="2048" placeholder='{"risk": 60}' /></label>
      <button class="first">Ask</button>
    </form>
    <${Wrong} error=${error} />
    ${said ? html`<div role="status"><dl class="said"><dt>In force</dt><dd>${said.was}</dd><dt>With the draft</dt><dd>${said.becomes}</dd></dl></div>` : null}`;
};

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name.split("/").pop();
  link.click();
  URL.revokeObjectURL(link.href);
}
