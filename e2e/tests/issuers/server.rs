//! Identity providers to test with: npm's `oidc-provider` in a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
};

use countersign_testkit::{Client, request};
use serde_json::{Value, json};

/// The audience that the gateway goes by.
pub(crate) const GATEWAY: &str = "https://gateway.example";
/// What the configuration needs where there are issuers.
pub(crate) const RESOURCE: &str = "resource = \"https://gateway.example\"";
/// The tenant of the issuer in Entra ID's shape.
const TENANT: &str = "5f2b8a3e-0c4d-4e6f-8a9b-1c2d3e4f5a6b";
/// The client that gets tokens.
pub(crate) const CLIENT: &str = "1f8e6a52-9b7d-4c3e-a1f0-6d5c4b3a2918";

/// Three identity providers, ended when dropped.
pub(crate) struct Issuers {
    process: Child,
    address: SocketAddr,
}

impl Issuers {
    /// Starts them; none where they are not installed, which is allowed outside CI alone.
    pub(crate) fn start() -> Option<Self> {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        if !clients.join("node_modules/oidc-provider").exists() {
            let why = "oidc-provider is not installed: run `cargo xtask test`";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
            {
                eprintln!("SKIPPED: {why}");
            }
            return None;
        }
        let mut process = Command::new("node")
            .arg(clients.join("issuers.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut port = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut port).expect("a port");
        let port = port.trim().parse().expect("a port");
        Some(Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// The `iss` of `plain`, `entra` or `okta`.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}{}", self.address, path(name))
    }

    /// The configuration of one of them, with further fields.
    pub(crate) fn section(&self, name: &str, more: &str) -> String {
        let kind = if name == "plain" { "rfc9068" } else { name };
        let url = self.url(name);
        format!(
            "[[issuer]]\nname = {name:?}\nkind = {kind:?}\nurl = {url:?}\naudiences = [{GATEWAY:?}]\ncleartext = \"i-accept-cleartext-on-loopback\"\n{more}\n# end of {name}\n"
        )
    }

    /// Gets an access token as a program does (RFC 6749, section 4.4; RFC 8707).
    pub(crate) fn token(&self, name: &str, scope: &str, resource: &str) -> String {
        self.token_with(name, scope, resource, &[])
    }

    /// The same, bound to the client's key (RFC 9449, section 5).
    pub(crate) fn bound_token(&self, name: &str, scope: &str, resource: &str) -> String {
        // As requests of tests name the host.
        let proof = self.prove(json!({ "htm": "POST", "htu": format!("http://localhost{}/token", path(name)) }));
        self.token_with(name, scope, resource, &[("dpop", &proof)])
    }

    /// A proof of the client's key, with these claims. `token` is what it is for, `holder` whose key it is, `header` what stands
    /// in its header.
    pub(crate) fn prove(&self, claims: Value) -> String {
        self.tell("plain", json!({ "prove": claims }))["proof"].as_str().expect("a proof").to_owned()
    }

    /// Takes a token back (RFC 7009).
    pub(crate) fn revoke(&self, name: &str, token: &str) {
        let form = format!("token={token}&client_id={CLIENT}&client_secret=a-secret-of-the-tests");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let mut client = Client::clear(self.address);
        let path = format!("{}/token/revocation", path(name));
        client.send(request("POST", &path, &kind, form.as_bytes())).expect("the provider reads");
        assert_eq!(client.answer().expect("the provider answers").expect("an answer").status, 200);
    }

    /// How often one of them was asked what a token is worth.
    pub(crate) fn questions(&self, name: &str) -> u64 {
        self.tell(name, json!({}))["questions"].as_u64().expect("a number")
    }

    fn token_with(&self, name: &str, scope: &str, resource: &str, headers: &[(&str, &str)]) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_secret=a-secret-of-the-tests&scope={}&resource={resource}",
            scope.replace(' ', "+")
        );
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        let said = self.exchange(&request("POST", &format!("{}/token", path(name)), &headers, form.as_bytes()));
        said["access_token"].as_str().unwrap_or_else(|| panic!("no token: {said}")).to_owned()
    }

    /// Tells one of them something; what it says.
    pub(crate) fn tell(&self, name: &str, mut what: Value) -> Value {
        what["issuer"] = name.into();
        self.exchange(&request("POST", "/control", &[], what.to_string().as_bytes()))
    }

    /// How often metadata or keys of one of them were asked for.
    pub(crate) fn asked(&self, name: &str) -> u64 {
        self.tell(name, json!({}))["asked"].as_u64().expect("a number")
    }

    fn exchange(&self, bytes: &[u8]) -> Value {
        let mut client = Client::clear(self.address);
        client.send(bytes).expect("the provider reads");
        client.answer().expect("the provider answers").expect("an answer").json()
    }
}

impl Drop for Issuers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn path(name: &str) -> String {
    match name {
        "entra" => format!("/{TENANT}/v2.0"),
        "okta" => "/oauth2/default".to_owned(),
        _ => "/plain".to_owned(),
    }
}
