//! The same stage over real TCP.

use countersign_core::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{script::*, *};
use crate::{Dialect, Dialer};

/// A stage with one target that listens on loopback.
async fn over_tcp() -> (Provider, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tcp = target("a", Dialect::OpenAi);
    tcp.base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let dialer = Arc::new(Dialer::new(std::slice::from_ref(&tcp)).unwrap());
    let stamp = countersign_core::life::Stamps::issue().dispatch;
    (Provider::new(stamp, vec![tcp], dialer, Arc::new(|| Timestamp(0))).unwrap(), listener)
}

/// Reads a request: head and body come in one piece over loopback, or in few.
async fn request(tcp: &mut TcpStream) {
    let mut text = Vec::new();
    while !text.ends_with(ASK.as_bytes()) {
        assert_ne!(tcp.read_buf(&mut text).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn whole_then_streaming_on_one_connection() {
    let (provider, listener) = over_tcp().await;
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        request(&mut tcp).await;
        tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            .await
            .unwrap();
        request(&mut tcp).await;
        tcp.write_all(STREAM.as_bytes()).await.unwrap();
        for i in 0..54 {
            tcp.write_all(chunk(&format!("data: {i}\n\n")).as_bytes()).await.unwrap();
        }
        tcp.write_all(b"0\r\n\r\n").await.unwrap();
    });
    assert_eq!(ask(&provider, false).await.unwrap(), "{}");
    let events: String = (0..54).map(|i| format!("data: {i}\n\n")).collect();
    assert_eq!(ask(&provider, true).await.unwrap(), events);
    server.await.unwrap();
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_stream_is_an_error_and_not_an_end() {
    let (provider, listener) = over_tcp().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        request(&mut tcp).await;
        tcp.write_all((STREAM.to_owned() + &chunk("data: 1\n\n")).as_bytes()).await.unwrap();
        // Closing with a linger of zero resets the connection.
        tcp.set_zero_linger().unwrap();
    });
    assert_eq!(code(ask(&provider, true).await), Code::ProviderUnreachable);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let (provider, listener) = over_tcp().await;
    drop(listener);
    assert_eq!(code(ask(&provider, false).await), Code::ProviderUnreachable);
}
