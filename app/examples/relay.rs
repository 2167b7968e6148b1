//! The bare relay of the benchmark: the gateway's listener library and its upstream client with nothing in between. It checks
//! nothing and is no part of the product; it shows what the checks cost.
//!
//! `relay LISTEN UPSTREAM`

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use countersign_http1::{Connection, RequestHead};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Upstream = Connection<TcpStream>;
type Pool = Arc<Mutex<Vec<Upstream>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(listen), Some(upstream)) = (args.next(), args.next()) else { return Err("relay LISTEN UPSTREAM".into()) };
    let upstream: SocketAddr = upstream.parse()?;
    let pool = Pool::default();
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (io, _) = listener.accept().await?;
        io.set_nodelay(true)?;
        let pool = pool.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| relay(request, upstream, pool.clone()));
            drop(http1::Builder::new().serve_connection(TokioIo::new(io), service).await);
        });
    }
}

async fn relay(request: Request<Incoming>, to: SocketAddr, pool: Pool) -> Result<Response<Relayed>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let idle = pool.lock().map_or(None, |mut pool| pool.pop());
    let answer = async {
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let io = TcpStream::connect(to).await.ok()?;
                io.set_nodelay(true).ok()?;
                Connection::new(io)
            }
        };
        let head =
            RequestHead::new("POST", &path, "localhost").ok()?.header("content-type", "application/json").ok()?;
        let answer = connection.send(&head, body).await.ok()?;
        Some((connection, answer.status(), answer.get("content-type").map(ToOwned::to_owned)))
    };
    let Some((connection, status, kind)) = answer.await else {
        return Ok(Response::builder().status(502).body(Relayed(None)).unwrap_or_default());
    };
    let mut response = Response::new(Relayed(Some(Box::pin(next(connection, pool)))));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if let Some(kind) = kind.and_then(|k| http::HeaderValue::from_bytes(&k).ok()) {
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Upstream, Pool)>> + Send>>;

async fn next(mut connection: Upstream, pool: Pool) -> Option<(Bytes, Upstream, Pool)> {
    match connection.read(64 * 1024).await {
        Ok(Some(bytes)) => Some((bytes, connection, pool)),
        _ => {
            if connection.reusable()
                && let Ok(mut idle) = pool.lock()
            {
                idle.push(connection);
            }
            None
        }
    }
}

/// A body that is passed on as it comes.
#[derive(Default)]
struct Relayed(Option<Next>);

impl Body for Relayed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(turn) = &mut self.0 else { return Poll::Ready(None) };
        let piece = ready!(turn.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(piece.map(|(bytes, connection, pool)| {
            self.0 = Some(Box::pin(next(connection, pool)));
            Ok(Frame::data(bytes))
        }))
    }
}
