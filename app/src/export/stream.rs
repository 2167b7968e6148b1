//! Syslog over a connection, which acknowledges nothing: what a receiver has taken is told by how its connections end.
//!
//! A connection carries records for about a second. Then the next is opened, and the first is closed from this side. A receiver that has
//! read all of it closes it, too; one that was killed with something unread resets it. Even what was read may have been lost with the
//! process that read it: so it counts as taken only once the connection after it, which was opened before, has been closed in order as
//! well, a second later. A receiver that dies in between has broken that one off, and everything since comes again.

use std::{convert::Infallible, time::Duration};

use anyhow::Context;
use countersign_provider::{Base, Trust, open};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, sleep, timeout},
};

use super::Work;

/// Streams until something goes wrong.
pub(super) async fn run(work: &Work, base: &Base) -> anyhow::Result<Infallible> {
    let trust = work.trust().await?;
    let connect = || connect(base, trust.as_ref());
    let mut taken = work.taken().await?;
    let mut sent = taken;
    // What the connection before this one carried, up to which record.
    let mut read: Option<u64> = None;
    let mut now = connect().await?;
    loop {
        let (began, first) = (Instant::now(), sent);
        loop {
            let (frames, until) = work.frames(sent).await?;
            if until > sent {
                timeout(PATIENCE, now.write_all(&frames)).await.context("it does not read")??;
                sent = until;
            } else {
                stands(&mut now, LOOK).await?;
            }
            let carries = sent > first || read.is_some();
            if carries && began.elapsed() >= DWELL {
                break;
            }
            if !carries {
                work.tell(taken);
                // Somebody may have told it to begin elsewhere.
                anyhow::ensure!(work.taken().await? == taken, "it begins elsewhere");
            }
        }
        let next = connect().await?;
        end(&mut now).await?;
        if let Some(until) = read.take() {
            anyhow::ensure!(work.advance(taken, until).await?, "it begins elsewhere");
            taken = until;
        }
        read = (sent > first).then_some(sent);
        now = next;
    }
}

/// Opens a connection.
pub(crate) async fn connect(
    base: &Base,
    trust: Option<&Trust>,
) -> anyhow::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
    timeout(PATIENCE, open(base, trust)).await.context("it does not answer")?.context("it cannot be reached")
}

/// Waits, and finds out whether the other side has gone meanwhile.
async fn stands(connection: &mut (impl AsyncRead + Unpin), time: Duration) -> anyhow::Result<()> {
    let mut said = [0; 64];
    match timeout(time, connection.read(&mut said)).await {
        Err(_) => Ok(()),
        Ok(Ok(0)) => anyhow::bail!("it has closed the connection"),
        // Nothing is expected; what comes means nothing.
        Ok(Ok(_)) => {
            sleep(time).await;
            Ok(())
        }
        Ok(Err(error)) => Err(error).context("it has broken off the connection"),
    }
}

/// Closes a connection, and waits for the other side to close it as well, having read everything.
pub(crate) async fn end(connection: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> anyhow::Result<()> {
    let closed = async {
        // Whoever has gone since it was last looked at has closed it before it was closed here.
        stands(connection, Duration::from_millis(1)).await?;
        connection.shutdown().await?;
        let mut rest = [0; 1024];
        loop {
            match connection.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Over TLS: closed without a word, but not reset.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(anyhow::Error::from(error).context("it has broken off the connection")),
            }
        }
    };
    timeout(PATIENCE, closed).await.context("it does not close its side of the connection")?
}

/// How long a connection carries records.
const DWELL: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(30);
