use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{super::Keys, *};

/// An issuer in the clear that takes one request after another, and answers each with the next of these; what it was asked.
async fn serve(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/id", listener.local_addr().unwrap());
    let own = url.clone();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut io, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.contains("\r\n\r\n") || (text.starts_with("POST") && !text.ends_with("access_token")) {
                let mut bytes = [0; 1024];
                let n = io.read(&mut bytes).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
            asked.push(text);
            let body = answer.replace("URL", &own);
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            io.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        asked
    });
    (url, asked)
}

fn asker(url: &str, endpoint: Option<&str>) -> Asker {
    let keys = Keys::At(format!("{url}/keys").parse().unwrap());
    let source = Source { name: "bank".into(), url: url.into(), keys, ca: None, clear: true };
    Asker::new(source, endpoint.map(|at| at.parse().unwrap()), "gate way", &Secret::new("s&cret:ü".to_owned()))
}

#[tokio::test]
async fn a_question_is_a_form_and_names_who_asks() {
    let metadata = r#"{"issuer":"URL","introspection_endpoint":"URL/ask"}"#;
    let answers = [metadata, r#"{"active":true}"#, r#"{"active":false}"#];
    let (url, asked) = serve(answers.map(Into::into).to_vec()).await;
    let asker = asker(&url, None);
    assert_eq!(asker.ask(&Secret::new("a+b/c=&token=x".to_owned())).await.unwrap(), r#"{"active":true}"#);
    assert_eq!(asker.ask(&Secret::new("other".to_owned())).await.unwrap(), r#"{"active":false}"#);
    let asked = asked.await.unwrap();
    // The metadata are asked for once.
    assert!(asked[0].starts_with("GET /id/.well-known/openid-configuration HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[1].starts_with("POST /id/ask HTTP/1.1\r\n"), "{}", asked[1]);
    assert!(asked[1].ends_with("\r\n\r\ntoken=a%2Bb%2Fc%3D%26token%3Dx&token_type_hint=access_token"), "{}", asked[1]);
    let basic = BASE64.encode(b"gate%20way:s%26cret%3A%C3%BC");
    assert!(asked[1].contains(&format!("\r\nauthorization: Basic {basic}\r\n")), "{}", asked[1]);
    assert!(asked[2].starts_with("POST /id/ask HTTP/1.1\r\n"), "{}", asked[2]);
    let shown = format!("{asker:?}");
    assert!(!shown.contains("cret") && !shown.contains(&basic), "{shown}");
}

#[tokio::test]
async fn a_token_is_not_shown_where_metadata_lead_astray() {
    for metadata in [
        r#"{"issuer":"URL","introspection_endpoint":"http://169.254.169.254/ask"}"#,
        r#"{"issuer":"https://evil.example","introspection_endpoint":"URL/ask"}"#,
        r#"{"issuer":"URL"}"#,
        "[]",
    ] {
        let (url, asked) = serve(vec![metadata.into()]).await;
        let error = asker(&url, None).ask(&Secret::new("the-token".to_owned())).await.unwrap_err();
        assert!(!format!("{error:#}").contains("the-token"), "{error:#}");
        assert!(asked.await.unwrap().iter().all(|text| !text.contains("the-token")), "{metadata}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_errors_without_a_word_of_theirs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/id", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 4\r\n\r\nevil",
            "HTTP/1.1 302 Found\r\nlocation: http://evil.example/\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nevil",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\nevil",
            "",
        ] {
            let (mut io, _) = listener.accept().await.unwrap();
            let _ = io.read(&mut [0; 4096]).await.unwrap();
            io.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let asker = asker(&url, Some(&format!("{url}/ask")));
    for _ in 0..5 {
        let error = asker.ask(&Secret::new("the-token".to_owned())).await.unwrap_err();
        let said = format!("{error:#}");
        assert!(!said.contains("evil") && !said.contains("the-token"), "{said}");
    }
    server.await.unwrap();
}
