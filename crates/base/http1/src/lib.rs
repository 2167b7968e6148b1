//! One HTTP/1.1 client connection (RFC 9112), strict in what it takes and driven in its caller's task.
//!
//! It does not dial, pool, retry, time out, follow redirects, decompress or speak TLS: it takes any stream of bytes.
//!
//! [`Reader`] is the sans-io half: bytes in, [`ResponseHead`] and body out. [`Connection`] puts it on a stream.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use countersign_http1::{Connection, Error, RequestHead};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let (ours, mut theirs) = tokio::io::duplex(1024);
//! let server = async {
//!     theirs.read(&mut [0; 1024]).await?;
//!     theirs.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await
//! };
//! let head = RequestHead::new("POST", "/v1/chat/completions", "localhost")?.header("accept", "*/*")?;
//! let mut connection = Connection::new(ours);
//! let (answer, _) = tokio::join!(connection.send(&head, "{}".into()), server);
//! assert_eq!(answer?.status(), 200);
//! assert_eq!(connection.read(8192).await?.as_deref(), Some(&b"hi"[..]));
//! assert_eq!(connection.read(8192).await?, None);
//! assert!(connection.reusable());
//! # Ok::<(), Error>(()) }).unwrap();
//! ```

mod body;
mod connection;
mod error;
mod reader;
mod request;
mod response;

pub use body::Framing;
pub use connection::Connection;
pub use error::Error;
pub use reader::{Piece, Reader};
pub use request::RequestHead;
pub use response::ResponseHead;
