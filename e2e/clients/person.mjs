// Somebody at a browser who signs in at one of the providers and out again.
import { createHash, randomBytes } from "node:crypto";

export const NOTEBOOK = "notebook";
const BACK = "https://notebook.example/callback";

// The client that people use, as the provider knows it; `logout` is where it is told of logouts.
export function notebook(alg, logout) {
  return {
    client_id: NOTEBOOK,
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code"],
    response_types: ["code"],
    redirect_uris: [BACK],
    id_token_signed_response_alg: alg,
    ...(logout && { backchannel_logout_uri: logout, backchannel_logout_session_required: true }),
  };
}

// The console, which keeps a secret.
export function desk(alg, back) {
  return {
    client_id: "console",
    client_secret: "the-secret-of-the-console",
    grant_types: ["authorization_code"],
    response_types: ["code"],
    redirect_uris: [back],
    id_token_signed_response_alg: alg,
  };
}

// Where a browser ends up that is sent to a provider and has never been there.
export async function follow(at, back) {
  const person = new Person("", "");
  while (!at.startsWith(back)) {
    const answer = await person.go(at);
    const next = answer.headers.get("location");
    if (!next) throw new Error(`the sign-in stops at ${answer.status}: ${await answer.text()}`);
    at = new URL(next, at).href;
  }
  return at;
}

export class Person {
  constructor(issuer, name) {
    Object.assign(this, { issuer, name, cookies: new Map() });
  }

  // Signs in; the access token that the notebook gets.
  async signIn(resource) {
    const verifier = randomBytes(32).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const asked = {
      client_id: NOTEBOOK, redirect_uri: BACK, response_type: "code", scope: "openid gateway.use", resource,
      code_challenge: challenge, code_challenge_method: "S256", login_hint: this.name,
    };
    let at = `${this.issuer}/auth?${new URLSearchParams(asked)}`;
    while (!at.startsWith(BACK)) {
      const answer = await this.go(at);
      const next = answer.headers.get("location");
      if (!next) throw new Error(`the sign-in stops at ${answer.status}: ${await answer.text()}`);
      at = new URL(next, at).href;
    }
    const code = new URL(at).searchParams.get("code");
    const form = { grant_type: "authorization_code", code, redirect_uri: BACK, client_id: NOTEBOOK, code_verifier: verifier, resource };
    const answer = await this.go(`${this.issuer}/token`, form);
    return (await answer.json()).access_token;
  }

  // Signs out, which the provider tells everyone whom the session was used with.
  async signOut() {
    const page = await (await this.go(`${this.issuer}/session/end`)).text();
    const [, xsrf] = page.match(/name="xsrf" value="([^"]+)"/);
    const answer = await this.go(`${this.issuer}/session/end/confirm`, { xsrf, logout: "yes" });
    return answer.status;
  }

  async go(url, form) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = form && new URLSearchParams(form);
    const answer = await fetch(url, { redirect: "manual", headers: { cookie }, method: form ? "POST" : "GET", body });
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    return answer;
  }
}

// Whoever the hint names is signed in: there is no password in a test.
export async function interact(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  return provider.interactionFinished(request, response, { login: { accountId: params.login_hint ?? "u-olga" } });
}

// The client is given what it asks for.
export async function grant({ oidc }) {
  const given = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
  given.addOIDCScope(oidc.params.scope);
  given.addResourceScope(oidc.params.resource, "gateway.use");
  await given.save();
  return given;
}
