// What the pages ask of the gateway: this origin alone, with the cookie that scripts cannot read.
import { signal } from "./vendor/signals.js";

// Who is signed in; null where nobody is, undefined before that is known.
export const me = signal(undefined);

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || problem.title || `status ${status}`);
    this.code = problem.code || "";
    this.status = status;
    this.request = problem.request || "";
  }
}

// The answer's value. Whoever is no longer signed in is shown the way in.
export async function ask(path, { method = "GET", body, signal: abort } = {}) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["countersign-console"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    redirect: "error",
    signal: abort,
  });
  const text = await answer.text();
  let value = text;
  try {
    value = JSON.parse(text);
  } catch {
    // Some answers are no JSON, as a checkpoint.
  }
  if (answer.ok) return value;
  if (answer.status === 401 && path !== "/console/session") me.value = null;
  throw new Refused(typeof value === "object" && value ? value : {}, answer.status);
}

export const post = (path, body) => ask(path, { method: "POST", body });

export function query(path, parameters) {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return text ? `${path}?${text}` : path;
}

export const may = (action) => Boolean(me.value && me.value.may.includes(action));

// The requests as they end. Gives a function that ends it.
export function follow({ requests, alert, state }) {
  const source = new EventSource("/admin/v1/traffic/live");
  source.addEventListener("requests", (event) => requests(JSON.parse(event.data)));
  source.addEventListener("alert", (event) => alert(JSON.parse(event.data)));
  source.onopen = () => state("open");
  source.onerror = () => {
    state(source.readyState === EventSource.CLOSED ? "closed" : "waiting");
    // A refusal is final for a browser; ask once who one is, which shows the way in where nobody is.
    if (source.readyState === EventSource.CLOSED) ask("/admin/v1/console/me").catch(() => {});
  };
  return () => source.close();
}
