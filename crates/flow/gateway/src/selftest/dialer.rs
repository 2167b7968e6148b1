//! Reaches the actor instead of a provider.

use countersign_provider::{BoxIo, Dial, Dialing, Target};

use super::actor::Actor;

pub(crate) struct ToActor(pub(crate) Actor);

impl Dial for ToActor {
    fn dial<'a>(&'a self, _: &'a Target) -> Dialing<'a> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let actor = self.0.clone();
        // A broken exchange shows on the gateway's side.
        tokio::spawn(async move { drop(actor.serve(theirs).await) });
        Box::pin(async move { Ok(Box::new(ours) as BoxIo) })
    }
}
