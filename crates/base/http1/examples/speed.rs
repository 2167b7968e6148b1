//! CPU time of one exchange on loopback: `cargo run --release -p countersign-http1 --example speed`.
//!
//! The server answers from a thread of its own with prepared bytes; only the client's thread is measured, by the
//! scheduler's account of it (Linux).
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
};

use bytes::Bytes;
use countersign_http1::{Connection, RequestHead};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let body = "x".repeat(1024);
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1024\r\n\r\n{body}");
    let event = format!("data: {}\n\n", "y".repeat(180));
    let mut stream =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..54 {
        stream += &format!("{:x}\r\n{event}\r\n", event.len());
    }
    stream += "0\r\n\r\n";

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, answer, requests) in [("whole 1 KiB", whole, 100_000), ("stream of 54 events", stream, 50_000)] {
        let raw = runtime.block_on(bare(serve(answer.clone())?, answer.len(), requests))?;
        let (ours, reads) = runtime.block_on(client(serve(answer)?, requests))?;
        println!("{name}: {ours:.2} us per exchange, {raw:.2} us for the system calls alone; {reads:.2} pieces");
    }
    Ok(())
}

/// Answers every request with `answer`, from another thread.
fn serve(answer: String) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut tcp, _) = listener.accept()?;
        tcp.set_nodelay(true)?;
        let mut request = vec![0; 64 * 1024];
        // One request is one segment here.
        while tcp.read(&mut request)? > 0 {
            tcp.write_all(answer.as_bytes())?;
        }
        Ok(())
    });
    Ok(address)
}

async fn client(address: SocketAddr, requests: u32) -> Result<(f64, f64), Failure> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let mut connection = Connection::new(tcp);
    let head = RequestHead::new("POST", "/v1/chat/completions", "localhost")?
        .header("content-type", "application/json")?
        .header("authorization", "Bearer 0123456789abcdef0123456789abcdef")?;
    let body = Bytes::from(vec![b'z'; 1024]);
    let (start, mut pieces) = (cpu()?, 0);
    for _ in 0..requests {
        connection.send(&head, body.clone()).await?;
        while connection.read(64 * 1024).await?.is_some() {
            pieces += 1;
        }
    }
    Ok(((cpu()? - start) / f64::from(requests), f64::from(pieces) / f64::from(requests)))
}

/// The least a client on this runtime could do: write, and read until all has come.
async fn bare(address: SocketAddr, answer: usize, requests: u32) -> Result<f64, Failure> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let (request, mut buffer) = (vec![b'z'; 1200], vec![0; 16 * 1024]);
    let start = cpu()?;
    for _ in 0..requests {
        tcp.write_all(&request).await?;
        let mut left = answer;
        while left > 0 {
            left -= tcp.read(&mut buffer).await?;
        }
    }
    Ok((cpu()? - start) / f64::from(requests))
}

/// Microseconds this thread has run.
fn cpu() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1000.0)
}
