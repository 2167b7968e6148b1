use std::sync::Mutex;

use countersign_core::{Target as Revoked, Timestamp, life::Peer};
use countersign_policy::Rules;
use countersign_provider::{BoxIo, Dial, Dialing, Target};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::support::World;

/// A provider whose words are put into its mouth.
#[derive(Default)]
struct Mouth(Arc<Mutex<Option<DuplexStream>>>);

impl Dial for Mouth {
    fn dial<'a>(&'a self, _: &'a Target) -> Dialing<'a> {
        let (ours, theirs) = duplex(1 << 20);
        *self.0.lock().unwrap() = Some(theirs);
        Box::pin(async move { Ok(Box::new(ours) as BoxIo) })
    }
}

fn event(n: usize) -> String {
    let text = format!("Sentence number {n} is an ordinary one and says nothing much. ");
    let event = format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// What follows a revocation in the middle of a stream after `before` events were read, while more come at once.
async fn after_a_revocation(before: usize) -> String {
    let mouth = Arc::new(Mouth::default());
    let world = World::with(Rules::standard(), Some(mouth.clone()));
    let asking = world.gateway.handle(world.ask("openai", true), Peer::default(), None);
    let speaking = async {
        let mut provider = loop {
            if let Some(dialled) = mouth.0.lock().unwrap().take() {
                break dialled;
            }
            tokio::task::yield_now().await;
        };
        let mut asked = [0; 16 * 1024];
        assert!(provider.read(&mut asked).await.unwrap() > 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        provider.write_all(head.as_bytes()).await.unwrap();
        for n in 0..20 {
            provider.write_all(event(n).as_bytes()).await.unwrap();
        }
        provider
    };
    let (answer, mut provider) = tokio::join!(asking, speaking);
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let mut said = String::new();
    for n in 20..20 + before {
        provider.write_all(event(n).as_bytes()).await.unwrap();
        let frame = body.frame().await.unwrap().ok().unwrap().into_data().unwrap();
        said.push_str(std::str::from_utf8(&frame).unwrap());
    }
    // All that was released so far has been read; from here on nothing may be.
    world.gateway.stages().identity.board().revoke(Revoked::Everything, Timestamp::MAX);
    world.gateway.recheck();
    for n in 100..140 {
        provider.write_all(event(n).as_bytes()).await.unwrap();
    }
    let mut rest = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => rest.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap()),
            Err(Cut(())) => break,
        }
    }
    rest
}

#[tokio::test(start_paused = true)]
async fn not_a_byte_of_the_answer_follows_a_revocation() {
    for before in 1..12 {
        let rest = after_a_revocation(before).await;
        assert!(rest.contains("CS0204") && !rest.contains("Sentence"), "after {before}: {rest}");
    }
}
