//! Asks a gateway's admin API, as whoever the credential in the environment says one is.

use std::{env, fs};

use anyhow::Context;
use bytes::Bytes;
use countersign_core::{Code, Secret};
use countersign_http1::{Connection, RequestHead};
use countersign_provider::{Base, Trust, open};
use serde_json::Value;

use crate::{cli::Reach, cmd::Failure, fetch::is_loopback};

/// Asks the admin API; its answer, or what is wrong.
pub(super) async fn call(reach: &Reach, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let wrong = |what: String, fix| Failure { code: Code::ConfigInvalid, what, fix };
    let base: Base = reach.gateway.parse().map_err(|_| {
        let what = format!("`{}` is no address of a gateway", reach.gateway);
        wrong(what, "write https://HOST[:PORT], http://127.0.0.1:PORT or unix:/PATH")
    })?;
    if matches!(&base, Base::Http(address) if !is_loopback(&address.host)) {
        let what = "a credential does not go over the network in the clear".to_owned();
        return Err(wrong(what, "write https, or http to this machine alone").into());
    }
    let credential = Secret::new(env::var(CREDENTIAL).map_err(|_| {
        wrong(format!("`{CREDENTIAL}` holds no credential"), "put your API key or access token into it")
    })?);
    let trust = match (&base, &reach.ca) {
        (Base::Https(_), Some(file)) => {
            let pem = fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
            Some(Trust::given(&pem)?)
        }
        (Base::Https(_), None) => Some(Trust::system()?),
        _ => None,
    };
    let mut head = RequestHead::new(method, path, &base.host())?
        .credential("authorization", "Bearer ", credential.expose())?
        .header("accept", "application/json")?
        .header("user-agent", "countersign")?;
    let body = match body {
        Some(body) => {
            head = head.header("content-type", "application/json")?;
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    let reached = async {
        let mut connection = Connection::new(open(&base, trust.as_ref()).await?);
        let answer = connection.send(&head, body).await?;
        anyhow::Ok((answer.status(), connection.read_whole(LONGEST).await?))
    };
    let (status, text) = tokio::time::timeout(PATIENCE, reached)
        .await
        .context("the gateway does not answer")?
        .with_context(|| format!("`{}` cannot be reached", reach.gateway))?;
    let value: Value = serde_json::from_slice(&text).context("the gateway's answer is not JSON")?;
    if status >= 400 {
        let said = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let detail = if said("detail").is_empty() { said("title") } else { said("detail") };
        anyhow::bail!("{}: {detail} (request {})", said("code"), said("request"));
    }
    Ok(value)
}

/// Names the environment variable that holds the credential: on a command line others could read it.
const CREDENTIAL: &str = "COUNTERSIGN_CREDENTIAL";
const LONGEST: usize = 4 << 20;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
