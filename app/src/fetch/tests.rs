use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

#[test]
fn addresses_keep_path_and_query_and_nothing_breaks_out() {
    for (text, shown) in [
        ("https://id.bank.example/keys/", "https://id.bank.example/keys/"),
        ("https://id.bank.example:8443/a/b?appid=7", "https://id.bank.example:8443/a/b?appid=7"),
        ("https://id.bank.example", "https://id.bank.example/"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
    ] {
        assert_eq!(text.parse::<Place>().unwrap().to_string(), shown);
    }
    for text in [
        "",
        "id.bank.example/keys",
        "https://",
        "https:///keys",
        "https://user@id.bank.example/keys",
        "https://id.bank.example/a b",
        "https://id.bank.example/\r\nx: y",
        "https://id.bank.example/#f",
        "https://id.bank.example?x",
        "https://id.bank.example:0/",
        "unix:///run/keys",
        "unix:/run/keys",
        "file:///etc/passwd",
        "ftp://id.bank.example/keys",
        "https://id.bänk.example/keys",
    ] {
        assert!(text.parse::<Place>().is_err(), "{text}");
    }
}

#[test]
fn only_tls_is_safe_and_loopback_where_that_was_said() {
    let safe = |text: &str, clear| text.parse::<Place>().unwrap().is_safe(clear);
    assert!(safe("https://id.bank.example/", false));
    for loopback in ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/"] {
        assert!(safe(loopback, true) && !safe(loopback, false), "{loopback}");
    }
    for other in ["http://id.bank.example/", "http://127.0.0.1.evil.example/", "http://169.254.169.254/latest"] {
        assert!(!safe(other, true), "{other}");
    }
}

/// What comes of one answer, whatever it is.
async fn got(answer: &'static str) -> Result<Bytes, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place: Place = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 1024];
        let n = io.read(&mut asked).await.unwrap();
        io.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..n]).into_owned()
    });
    let result = place.get(None, 16).await.map_err(|e| e.to_string());
    let asked = server.await.unwrap();
    assert!(asked.starts_with("GET /keys HTTP/1.1\r\n") && asked.contains("accept-encoding: identity"), "{asked}");
    result
}

#[tokio::test]
async fn only_a_plain_json_document_of_status_200_within_the_bound_is_taken() {
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(got(json).await.unwrap(), "{}");
    let set = "HTTP/1.1 200 OK\r\ncontent-type: application/jwk-set+json\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(got(set).await.unwrap(), "{}");
    for (answer, why) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            "status 302, and redirects are not followed",
        ),
        ("HTTP/1.1 404 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", "status 404"),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}", "not uncompressed JSON"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "not uncompressed JSON"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
            "not uncompressed JSON",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{\"a\": 1234567890}",
            "longer than the limit",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}", "ended early"),
        ("SSH-2.0-x\r\n\r\n", "malformed"),
        ("", "without an answer"),
    ] {
        let error = got(answer).await.unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
