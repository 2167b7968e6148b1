//! What a desk goes on telling: pieces as they come, for as long as the caller's credential stands.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_core::{Lease, life::Released};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::sleep;

use crate::Gateway;

/// Pieces of an answer that follow its first bytes.
pub type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The pieces, in the gateway's own words, until they end or the credential does.
pub(crate) fn follow(
    gateway: Arc<Gateway>,
    lease: Arc<Lease>,
    pieces: Pieces,
) -> Pin<Box<dyn Stream<Item = Released> + Send>> {
    let rechecks = gateway.rechecks();
    Box::pin(stream::unfold((gateway, lease, rechecks, pieces), async |(gateway, lease, mut rechecks, mut pieces)| {
        loop {
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => Some(piece?),
                // An error means that the gateway is gone, which no request outlives.
                _ = rechecks.changed() => None,
                () = sleep(LEASE_CHECK) => None,
            };
            if !lease.stands(gateway.now()) {
                return None;
            }
            if let Some(piece) = piece {
                let released = gateway.speaker().tell(piece);
                return Some((released, (gateway, lease, rechecks, pieces)));
            }
        }
    }))
}

/// How often somebody to whom nothing is told is looked after.
const LEASE_CHECK: Duration = Duration::from_millis(250);
