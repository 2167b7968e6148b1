//! What end-to-end tests share: a deployment of the real binary, a provider that does as it is told, and raw bytes in and out.
//!
//! It knows nothing of the product's crates: everything here sees the product from outside, as a caller, a provider or an
//! operator does. It is blocking code on threads, so that a test reads from top to bottom.
//!
//! ```no_run
//! use countersign_testkit::{Plan, Reply, Upstream};
//! use serde_json::json;
//!
//! let upstream = Upstream::start(|_asked| Reply::json(200, &json!({"choices": []})));
//! let gateway = Plan::new().target("openai", &upstream, &["m"]).serve();
//! let key = gateway.home.key("alice", "staff");
//! let answer = gateway.post("/v1/chat/completions", &key, &json!({"model": "m", "messages": []}));
//! assert_eq!(answer.status, 200);
//! assert_eq!(upstream.seen().len(), 1);
//! ```

mod browser;
mod certificate;
mod chat;
mod client;
mod deployment;
mod gate;
pub mod h2;
mod home;
mod http;
mod link;
mod network;
mod postgres;
mod redis;
mod siege;
mod upstream;

pub use browser::Browser;
pub use certificate::ClientCertificate;
pub use chat::{chat_answer, chat_ask};
pub use client::{Client, Secure};
pub use deployment::Deployment;
pub use gate::{Gate, until};
pub use home::{Home, Plan, binary};
pub use http::{Answer, request};
pub use link::Link;
pub use network::Network;
pub use postgres::Postgres;
pub use redis::Redis;
pub use siege::{Must, Siege, ended};
pub use upstream::{Asked, Reply, Upstream, chunked, event_stream, with_length};

/// How long anything may take before a test gives up. Far beyond what is usual, so that a busy machine fails no test.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
