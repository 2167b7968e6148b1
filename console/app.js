// The frame of the console: who is signed in, which view is open.
import { render } from "./vendor/preact.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";
import { signal } from "./vendor/signals.js";
import { ask, me, post } from "./api.js";
import { Deed, Wrong, html, useAsked } from "./ui.js";
import { Live } from "./views/live.js";
import { Request, RequestList } from "./views/requests.js";
import { Health } from "./views/health.js";
import { Audit } from "./views/audit.js";
import { Access } from "./views/access.js";
import { Case, Risk } from "./views/risk.js";
import { Policies } from "./views/policies.js";
import { Detectors } from "./views/detectors.js";
import { Keys } from "./views/keys.js";
import { Budgets } from "./views/budgets.js";

// Name, heading, view, and the action that policy has to permit.
const VIEWS = [
  ["live", "Live", Live, "readTraffic"],
  ["requests", "Requests", RequestList, "readTraffic"],
  ["risk", "At risk", Risk, "readTraffic"],
  ["health", "Health", Health, "observe"],
  ["detectors", "Detectors", Detectors, "readTraffic"],
  ["budgets", "Budgets", Budgets, "readTraffic"],
  ["access", "Access", Access, "listRequests"],
  ["policies", "Policies", Policies, "readPolicy"],
  ["keys", "Keys", Keys, "listKeys"],
  ["audit", "Audit", Audit, "observe"],
];

const place = signal(window.location.hash);
window.addEventListener("hashchange", () => {
  place.value = window.location.hash;
});

const open = () => {
  const [, name = "", id = ""] = place.value.split("/");
  return { name: name || "live", id: id && decodeURIComponent(id) };
};

const Frame = () => {
  const { name, id } = open();
  const views = VIEWS.filter(([, , , action]) => me.value.may.includes(action));
  const view = views.find(([of]) => of === name);
  const heading = useRef(null);
  const first = useRef(true);
  // A rule is no request: its requests are listed.
  const rule = name === "requests" && id.startsWith("found:") ? id.slice(6) : "";
  const one = id && !rule && { requests: ["Request", Request], risk: ["Case", Case] }[name];
  const title = view ? (one ? one[0] : view[1]) : "Not here";
  useEffect(() => {
    document.title = `${title} - Countersign`;
    // Whoever reads by ear hears where they are; on the first page the browser says so.
    if (!first.current && heading.current) heading.current.focus();
    first.current = false;
  }, [name, id]);
  const leave = async () => {
    await post("/admin/v1/console/leave").catch(() => {});
    me.value = null;
  };
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); heading.current.focus(); }}>Skip to the content</a>
    <div class="frame">
      <nav aria-label="Views">
        <p>Countersign</p>
        <ul>${views.map(([of, word]) => html`<li key=${of}><a href=${`#/${of}`} aria-current=${of === name ? "page" : undefined}>${word}</a></li>`)}</ul>
        <div class="own">
          <p>${me.value.tenant}/${me.value.subject}<br />on ${me.value.node}, ${me.value.version}</p>
          <button type="button" onClick=${leave}>Sign out</button>
        </div>
      </nav>
      <main id="main">
        <h1 ref=${heading} tabindex="-1">${title}</h1>
        ${view
          ? one ? html`<${one[1]} id=${id} key=${id} />` : html`<${view[2]} key=${rule} found=${rule} />`
          : html`<p>There is no such view, or your roles do not open it.</p>`}
      </main>
    </div>`;
};

const Door = () => {
  const [error, wrong] = useState(undefined);
  const [busy, set] = useState(false);
  const ways = useAsked("/console/session");
  const enter = async (event) => {
    event.preventDefault();
    const field = event.target.elements.namedItem("credential");
    set(true);
    wrong(undefined);
    try {
      me.value = await post("/console/session", { credential: field.value.trim() });
    } catch (refused) {
      wrong(refused);
    }
    field.value = "";
    set(false);
  };
  return html`
    <main class="door">
      <h1>Countersign console</h1>
      <form onSubmit=${enter}>
        <label>API key or access token
          <input name="credential" type="password" autocomplete="off" required spellcheck=${false} />
        </label>
        <button class="first" disabled=${busy}>Sign in</button>
      </form>
      <${Wrong} error=${error} />
      ${ways.value && ways.value.provider ? html`<p><${Deed} act=${async () => window.location.assign((await post("/console/sign-in")).go)}>Sign in with ${ways.value.provider}<//></p>` : null}
      <p class="quiet">A key is exchanged for a cookie that lasts eight hours at most, and kept nowhere.
        <code>countersign console</code> gives a link that signs you in without it.</p>
    </main>`;
};

const App = () => {
  if (me.value === undefined) return html`<p class="wait" role="status">One moment</p>`;
  return me.value ? html`<${Frame} />` : html`<${Door} />`;
};

// A link is followed once, and does not stay in the address or the history.
async function begin() {
  const link = /^#(csl_[\w-]+)$/.exec(window.location.hash);
  if (link) {
    window.history.replaceState(null, "", "/console/#/live");
    place.value = "#/live";
    me.value = await post("/console/session", { link: link[1] }).catch(() => null);
  } else {
    me.value = await ask("/admin/v1/console/me").catch(() => null);
  }
}

document.getElementById("app").replaceChildren();
render(html`<${App} />`, document.getElementById("app"));
begin();
