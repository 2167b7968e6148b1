//! What can go wrong on a connection. After any of these it cannot be used again.

use std::io;

/// Why an exchange failed. No variant holds bytes of the request or the answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream failed below us.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection before the first byte of an answer.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The server closed the connection inside its answer.
    #[error("the server's answer ended early")]
    Truncated,
    /// The server's answer is not strict HTTP/1.1.
    #[error("the server's answer is malformed: {0}")]
    Malformed(&'static str),
    /// A part of the server's answer that is not its body is larger than this client takes.
    #[error("the server's answer is too large: {0}")]
    TooLarge(&'static str),
    /// The body is longer than the caller of [`crate::Connection::read_whole`] takes.
    #[error("the body of the server's answer is longer than the limit")]
    BodyTooLong,
    /// Bytes came that answer no request: a desynchronised or hostile server.
    #[error("the server sent bytes nobody asked for")]
    Unsolicited,
    /// The server answered with success before it had the whole request.
    #[error("the server answered before it had the whole request")]
    Early,
    /// The last exchange did not leave the connection fit for another; the fault of whoever uses it again.
    #[error("the connection cannot carry another request")]
    Spent,
    /// A part of the request would not be valid HTTP; the fault of whoever made it.
    #[error("the request is malformed: {0}")]
    BadRequest(&'static str),
}
