//! The witness that this gateway is for the logs of others (C2SP tlog-witness). Whoever asks carries the proof: a checkpoint that a known
//! log has signed. Nothing of it goes on record here: two gateways that witness each other would keep each other writing.

use bytes::Bytes;
use countersign_audit::witness::Objection;
use countersign_core::{Code, Refusal};
use http::Method;

use super::{Ask, Gives, Permit, Reply, Route, route::ANY, schema};

pub(crate) const PATH: &str = "/witness/";

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/witness/add-checkpoint",
    permit: Permit::Open,
    name: "addCheckpoint",
    what: "Have a checkpoint of a known log cosigned, with a proof that it only grew (C2SP tlog-witness).",
    query: &[],
    takes: Some((ANY, schema::<String>)),
    gives: &[
        Gives { status: 200, what: "The line of the cosignature.", body: Some((TEXT, schema::<String>)) },
        Gives { status: 400, what: "It is no such request.", body: Some((TEXT, schema::<String>)) },
        Gives { status: 403, what: "The log has not signed it.", body: Some((TEXT, schema::<String>)) },
        Gives { status: 404, what: "The log is not known here.", body: Some((TEXT, schema::<String>)) },
        Gives { status: 409, what: "How many records the last checkpoint has.", body: Some((SIZE, schema::<String>)) },
        Gives { status: 422, what: "The proof does not hold.", body: Some((TEXT, schema::<String>)) },
    ],
    run: |ask| Box::pin(add(ask)),
}];

async fn add(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let no = |status, why: &str| Ok(Reply::of(status, TEXT, Bytes::from(format!("{why}\n"))));
    let Some(witness) = ask.admin.witness.clone() else { return no(404, "no log is known here") };
    let (body, now) = (ask.body().clone(), ask.now());
    // What is cosigned is synced to disk first.
    let added = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, now)).await;
    let objection = match added.map_err(|_| Refusal::new(Code::Internal, "the witness panicked"))? {
        Ok(line) => return Ok(Reply::of(200, TEXT, line.into())),
        Err(objection) => objection,
    };
    let why = objection.to_string();
    match objection {
        Objection::Form => no(400, &why),
        Objection::Unknown => no(404, &why),
        Objection::Unsigned => no(403, &why),
        Objection::Conflict(size) => Ok(Reply::of(409, SIZE, Bytes::from(format!("{size}\n")))),
        Objection::Inconsistent => {
            tracing::error!(
                "a log that is witnessed here was rewritten: its proof does not lead from what was cosigned"
            );
            no(422, &why)
        }
        Objection::Memory(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the witness cannot remember");
            Err(Refusal::new(Code::Internal, "the witness's memory cannot be used"))
        }
        Objection::Key(_) => Err(Refusal::new(Code::Internal, "the cosignature cannot be made")),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const SIZE: &str = "text/x.tlog.size";

#[cfg(test)]
mod tests;
