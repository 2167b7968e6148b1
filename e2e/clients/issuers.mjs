// Three identity providers of one process, each the certified `oidc-provider` on a path of its own: one as RFC 9068 has it, one whose
// tokens have the shape of Microsoft Entra ID's and one the shape of Okta's. Prints its port. A test tells it by
// `POST /control` to change keys, to fail and to come back.
import { createServer } from "node:http";
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from "node:crypto";
import { Provider } from "oidc-provider";
import { desk, follow, grant, interact, notebook, Person } from "./person.mjs";

const TENANT = "5f2b8a3e-0c4d-4e6f-8a9b-1c2d3e4f5a6b";
const PATHS = { plain: "/plain", entra: `/${TENANT}/v2.0`, okta: "/oauth2/default" };
const CLIENT = "1f8e6a52-9b7d-4c3e-a1f0-6d5c4b3a2918";
// The gateway itself, where it asks what tokens are worth.
const ASKER = "gateway";
const OID = randomUUID();
// Keys of clients, which tokens are bound to.
const holders = Object.fromEntries(["own", "other"].map((name) => [name, generateKeyPairSync("ec", { namedCurve: "P-256" })]));

const server = createServer((request, response) => {
  if (request.url === "/control") return control(request, response);
  const found = Object.entries(PATHS).find(([, path]) => request.url.startsWith(`${path}/`));
  if (!found) return response.writeHead(404).end();
  const [name, path] = found;
  const issuer = issuers[name];
  const isQuestion = request.url === `${path}/token/introspection`;
  if (isQuestion) issuer.questions += 1;
  const isToken = request.url.startsWith(`${path}/token`) && !isQuestion;
  if (!isToken) {
    if (!isQuestion) issuer.asked += 1;
    switch (issuer.mode) {
      case "down": return request.socket.destroy();
      case "slow": return;
      case "junk": return response.writeHead(200, { "content-type": "application/json" }).end("{\"keys\":");
      case "page": return response.writeHead(200, { "content-type": "text/html" }).end("<h1>maintenance</h1>");
      case "moved": return response.writeHead(302, { location: `http://127.0.0.1:${port}${path}/jwks` }).end();
    }
  }
  if (request.url.startsWith(`${path}/interaction/`)) return interact(issuer.provider, request, response);
  request.originalUrl = request.url;
  request.url = request.url.slice(path.length);
  issuer.handle(request, response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();

const issuers = {};
for (const name of Object.keys(PATHS)) issuers[name] = { mode: "up", asked: 0, questions: 0, turn: 0, people: {}, rotate() { begin(name); } };
for (const name of Object.keys(PATHS)) begin(name);
console.log(port);
// Nobody reads on; what the library remarks later would end the process.
process.stdout.on("error", () => {});

// Ends with the test that started it.
process.stdin.resume().on("end", () => process.exit());

function begin(name) {
  const issuer = issuers[name];
  issuer.turn += 1;
  const [type, options, alg] = name === "okta"
    ? ["rsa", { modulusLength: 2048 }, "RS256"]
    : name === "entra" ? ["rsa", { modulusLength: 2048 }, "PS256"] : ["ec", { namedCurve: "P-256" }, "ES256"];
  issuer.key = generateKeyPairSync(type, options).privateKey;
  const key = issuer.key.export({ format: "jwk" });
  issuer.provider = new Provider(`http://127.0.0.1:${port}${PATHS[name]}`, {
    jwks: { keys: [{ ...key, kid: `${name}-${issuer.turn}`, use: "sig", alg }] },
    clients: [{
      client_id: CLIENT,
      client_secret: "a-secret-of-the-tests",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    }, {
      client_id: ASKER,
      client_secret: "the gateway's secret",
      grant_types: [],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    }, notebook(alg, issuer.logout), ...(issuer.console ? [desk(alg, issuer.console)] : [])],
    scopes: ["openid", "gateway.use", "opaque", "short", "group"],
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => false },
      introspection: { enabled: true, allowedPolicy: (_context, client) => client.clientId === ASKER },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: "gateway.use opaque short group",
          audience: resource,
          accessTokenFormat: resource.endsWith("/opaque") ? "opaque" : "jwt",
          accessTokenTTL: resource.endsWith("/opaque") ? 60 : undefined,
          jwt: { sign: { alg } },
        }),
      },
    },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: grant,
    interactions: { url: (_context, { uid }) => `${PATHS[name]}/interaction/${uid}` },
    // The session that a token belongs to, as many providers say it.
    extraTokenClaims: (context) => ({ sid: context.oidc.entities.AuthorizationCode?.sid }),
    // It would not speak to this machine otherwise.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    ttl: { ClientCredentials: (_context, token) => (token.scope?.includes("short") ? 3 : 600) },
    formats: { customizers: { jwt: (_context, _token, jwt) => shape(name, jwt) } },
  });
  issuer.handle = issuer.provider.callback();
}

// What an access token of each kind looks like.
function shape(name, jwt) {
  const { payload } = jwt;
  const scopes = (payload.scope ?? "").split(" ").filter(Boolean);
  if (name === "entra") {
    jwt.header = { typ: "JWT" };
    Object.assign(payload, { ver: "2.0", tid: TENANT, oid: OID, azp: CLIENT, idtyp: "app", roles: ["Gateway.User"] });
    delete payload.scope;
    delete payload.client_id;
    payload.uti = payload.jti;
    delete payload.jti;
  } else if (name === "okta") {
    jwt.header = { typ: "JWT" };
    Object.assign(payload, { ver: 1, cid: CLIENT, scp: scopes });
    delete payload.scope;
    delete payload.client_id;
    if (scopes.includes("group")) payload.groups = ["Everyone", "Gateway users"];
  }
}

// Everything is right but the key, which is nobody's.
function forged(name) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "ES256", typ: "at+jwt", kid: `${name}-${issuers[name].turn}` })}.${part({
    iss: `http://127.0.0.1:${port}${PATHS[name]}`, aud: "https://gateway.example", sub: CLIENT, client_id: CLIENT,
    jti: randomUUID(), scope: "gateway.use", iat: now, exp: now + 600,
  })}`;
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

// A trust domain's key, and tokens of its workloads.
const domain = generateKeyPairSync("ec", { namedCurve: "P-256" });

function svid({ kid = "svid-1", ...claims }) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "ES256", typ: "JWT", kid })}.${part({
    sub: "spiffe://bank.example/batch", aud: ["https://gateway.example"], iat: now, exp: now + 300, ...claims,
  })}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: domain.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

// A token that asks for a global revocation; only `plain` signs in this way.
function revoker({ typ = "global-token-revocation+jwt", ...claims }) {
  const issuer = issuers.plain;
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "ES256", typ, kid: `plain-${issuer.turn}` })}.${part({
    iss: `http://127.0.0.1:${port}${PATHS.plain}`, sub: ASKER, jti: randomUUID(), iat: now, nbf: now - 300, exp: now + 300, ...claims,
  })}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: issuer.key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

// A proof of a client's key (RFC 9449), with whatever claims the test wants otherwise.
function proof({ holder = "own", token, header = {}, ...claims }) {
  const { privateKey, publicKey } = holders[holder];
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const ath = token && createHash("sha256").update(token).digest("base64url");
  const signed = `${part({ typ: "dpop+jwt", alg: "ES256", jwk: publicKey.export({ format: "jwk" }), ...header })}.${part({
    jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ath, ...claims,
  })}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

async function control(request, response) {
  let text = "";
  for await (const piece of request) text += piece;
  const { issuer: name, mode, rotate, idToken, forge, prove, svid: workload, logout, signIn, signOut, revoke, console: back, answer } = JSON.parse(text);
  const issuer = issuers[name];
  let said = {};
  if (mode) issuer.mode = mode;
  if (rotate) issuer.rotate();
  if (idToken) {
    const client = await issuer.provider.Client.find(CLIENT);
    const token = new issuer.provider.IdToken({ sub: CLIENT, nonce: "n" }, { client, ctx: undefined });
    token.set("sub", CLIENT);
    token.set("nonce", "n");
    said = { token: await token.issue({ use: "idtoken", expiresAt: Math.floor(Date.now() / 1000) + 600 }) };
  }
  if (prove) said = { proof: proof(prove) };
  if (workload) {
    const key = domain.publicKey.export({ format: "jwk" });
    // The same key for certificates only is none for tokens.
    const keys = [{ ...key, kid: "svid-1", use: "jwt-svid" }, { ...key, kid: "x509-1", use: "x509-svid" }];
    said = { token: svid(workload), bundle: JSON.stringify({ spiffe_sequence: 1, spiffe_refresh_hint: 300, keys }) };
  }
  if (logout) {
    issuer.logout = logout;
    issuer.rotate();
  }
  if (back) {
    issuer.console = back;
    issuer.rotate();
  }
  if (answer) said = { answer: await follow(answer.go, answer.back) };
  if (signIn) {
    issuer.people[signIn.who] = new Person(`http://127.0.0.1:${port}${PATHS[name]}`, signIn.who);
    said = { token: await issuer.people[signIn.who].signIn(signIn.resource) };
  }
  if (signOut) said = { status: await issuer.people[signOut].signOut() };
  if (revoke) said = { token: revoker(revoke) };
  if (forge) said = { token: forged(name) };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ asked: issuer.asked, questions: issuer.questions, ...said }));
}
