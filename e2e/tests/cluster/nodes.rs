//! A cluster to test with: three gateways, one PostgreSQL, one Redis, and wires to both that can be cut.

use countersign_testkit::{Deployment, Home, Link, Plan, Postgres, Redis, Upstream, request};
use serde_json::Value;

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Deployment>,
    /// What all have in their configurations.
    shared: String,
    /// The wire to PostgreSQL.
    pub(crate) store: Link,
    /// The wire to Redis.
    pub(crate) counters: Link,
    /// A key that may do everything to the gateway itself.
    pub(crate) admin: String,
    dead: Vec<Home>,
    _redis: Redis,
    _postgres: Postgres,
}

impl Cluster {
    /// Three nodes; none where PostgreSQL or Redis is not installed, which is allowed outside CI alone.
    pub(crate) fn of(upstream: &Upstream, more: &str) -> Option<Self> {
        Self::under(upstream, more, "")
    }

    /// The same, under these policies as well.
    pub(crate) fn under(upstream: &Upstream, more: &str, policies: &str) -> Option<Self> {
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let (store, counters) = (Link::to(postgres.port()), Link::to(redis.port()));
        let url = postgres.database().replace(&postgres.port().to_string(), &store.port().to_string());
        let shared = format!(
            "[store]\npostgres = {url:?}\n\n[cluster]\nredis = \"redis://127.0.0.1:{}\"\n\n{more}",
            counters.port()
        );
        let homes: Vec<Home> = (1..=3).map(|n| home(upstream, n, &shared)).collect();
        homes.iter().for_each(|home| home.put("policy.cedar", home.read("policy.cedar") + policies));
        // Nodes of a cluster have one root key: what API keys are hashed with.
        let root = std::fs::read(homes[0].path("state/root.key")).expect("a root key");
        homes[1..].iter().for_each(|home| home.put("state/root.key", &root));
        let admin = homes[0].key("root", "admin");
        let nodes = homes.into_iter().map(Home::serve).collect();
        Some(Self { nodes, shared, store, counters, admin, dead: Vec::new(), _redis: redis, _postgres: postgres })
    }

    /// A key that all nodes know.
    pub(crate) fn key(&self, subject: &str) -> String {
        let key = self.nodes[0].home.key(subject, "staff");
        for node in &self.nodes {
            countersign_testkit::until("the key to be known", || {
                (node.get("/v1/models", &key).status == 200).then_some(())
            });
        }
        key
    }

    /// Another node that has the name of the first.
    pub(crate) fn twin(&self, upstream: &Upstream) -> Home {
        let home = home(upstream, 1, &self.shared);
        let root = std::fs::read(self.nodes[0].home.path("state/root.key")).expect("a root key");
        home.put("state/root.key", &root);
        home
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, n: usize) {
        self.dead.push(self.nodes.remove(n).kill());
    }

    /// Starts the node that was killed again.
    pub(crate) fn revive(&mut self, n: usize) {
        let home = self.dead.pop().expect("a dead node");
        self.nodes.insert(n, home.serve());
    }

    /// Requests that the logs say have left.
    pub(crate) fn intents(&self) -> usize {
        let of = |node: &Deployment| {
            let log = node.home.must(&["audit", "export"]);
            log.lines().filter(|line| line.contains("\"intent\":{")).count()
        };
        self.nodes.iter().map(of).sum()
    }
}

pub(crate) fn home(upstream: &Upstream, n: usize, shared: &str) -> Home {
    let plan = Plan::new().target("openai", upstream, &["m"]).guard("canaries = \"canaries.txt\"").admin();
    let top = format!("node = \"node-{n}\"\nresource = \"https://ai.bank.example\"");
    let home = plan.top(&top).more(shared).more(SIEM).write();
    home.put("canaries.txt", CANARY);
    home
}

pub(crate) fn posted(key: &str, body: &Value) -> Vec<u8> {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", "application/json")];
    request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes())
}

/// What no answer may say.
pub(crate) const CANARY: &str = "osprey-vellum-4417-kestrel";
/// Somebody who is told what is revoked, in what needs a key that all nodes have to share.
const SIEM: &str = "[[receiver]]\nname = \"siem\"\naudience = \"https://siem.example\"\npolled_by = \"default/root\"\n\
                    algorithm = \"RS256\"\n";
