use std::fs;

use bytes::Bytes;
use countersign_core::{Secret, life::Peer, principal::PrincipalKind};
use countersign_identity::key::{self, NewKey};
use http_body_util::{BodyExt, Full};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::*;
use crate::{clock, files, state::State};

/// A deployment that is assembled and not bound.
struct Deployment {
    folder: TempDir,
    assembly: Arc<Assembly>,
    key: Secret<String>,
    id: String,
}

const PERMIT: &str = "permit (principal, action, resource);";

impl Deployment {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.cedar"), PERMIT).unwrap();
        fs::write(folder.path().join("canaries.txt"), "canary-0123456789abcdef\n").unwrap();
        fs::write(folder.path().join("countersign.toml"), text("first")).unwrap();
        let config = config::load(&folder.path().join("countersign.toml")).map_err(Problems).unwrap();
        let state = State::open(&config.home).await.unwrap();
        let new = NewKey {
            tenant: "default".into(),
            subject: "alice".into(),
            kind: PrincipalKind::Service,
            roles: vec!["staff".into()],
            scopes: Vec::new(),
            expires: None,
            now: clock::now(),
            note: String::new(),
        };
        let (key, record) = key::create(&state.hasher().unwrap(), new).unwrap();
        state.store().insert_key(&record).await.unwrap();
        let assembly = Arc::new(Assembly::new(&config, state).await.unwrap());
        Self { folder, assembly, key, id: record.id.to_string() }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    async fn reload(&self, opened: &[Opened]) -> anyhow::Result<Vec<String>> {
        apply(&self.assembly, &self.folder.path().join("countersign.toml"), opened).await
    }

    /// The models that are listed for the key, or the refusal.
    async fn models(&self) -> String {
        let request = http::Request::get("/v1/models")
            .header("authorization", format!("Bearer {}", self.key.expose()))
            .body(Full::new(Bytes::new()))
            .unwrap();
        let answer = self.assembly.gateway().handle(request, Peer::default(), None).await;
        String::from_utf8(answer.into_body().collect().await.ok().unwrap().to_bytes().to_vec()).unwrap()
    }
}

/// A configuration whose only model has this name.
fn text(model: &str) -> String {
    format!(
        "state = \"state\"\n[[listener]]\nname = \"l\"\nunix = \"s\"\n[[target]]\nname = \"t\"\nspeaks = \"openai\"\n\
         url = \"http://127.0.0.1:9\"\nmodels = [\"{model}\"]\n[policy]\nfiles = [\"policy.cedar\"]\n[guard]\n\
         canaries = \"canaries.txt\"\n"
    )
}

/// Waits for it, and not for ever.
async fn soon(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        let mut tick = interval(Duration::from_millis(20));
        while !holds().await {
            tick.tick().await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("in time");
}

#[tokio::test]
async fn a_bad_reload_changes_nothing() {
    let home = Deployment::new().await;
    assert!(home.models().await.contains("\"first\""));
    // Each would change the models or forbid them all, were any of it taken.
    let forbid = "forbid (principal, action, resource);";
    let bad: [(&str, &str, String, &str); 4] = [
        (forbid, "canary-0123456789abcdef", text("second").replace("openai", "klingon"), "expected"),
        ("permit (", "canary-0123456789abcdef", text("second"), "policy.cedar"),
        (forbid, "x", text("second"), "canary 0 is too short"),
        (forbid, "canary-0123456789abcdef", text("second").replace("\"state\"", "\"elsewhere\""), "restart"),
    ];
    for (policy, canary, config, why) in bad {
        home.write("policy.cedar", policy);
        home.write("canaries.txt", canary);
        home.write("countersign.toml", &config);
        let error = home.reload(&[]).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
        assert!(home.models().await.contains("\"first\""), "{why}");
    }
    home.write("policy.cedar", PERMIT);
    home.write("canaries.txt", "canary-0123456789abcdef");
    home.write("countersign.toml", &text("second"));
    home.reload(&[]).await.unwrap();
    let models = home.models().await;
    assert!(models.contains("\"second\"") && !models.contains("\"first\""), "{models}");
    home.write("policy.cedar", forbid);
    home.reload(&[]).await.unwrap();
    assert!(!home.models().await.contains("\"second\""));
}

#[tokio::test]
async fn new_certificates_are_taken_and_doors_stay_as_they_are() {
    let home = Deployment::new().await;
    let tls = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        home.write(&format!("{name}.pem"), &made.cert.pem());
        let key = home.folder.path().join(format!("{name}.key"));
        let _ = fs::remove_file(&key);
        files::write_new(&key, made.signing_key.serialize_pem().as_bytes(), 0o600).unwrap();
    };
    tls("main");
    let door =
        "[[listener]]\nname = \"main\"\naddress = \"127.0.0.1:0\"\ncertificate = \"main.pem\"\nkey = \"main.key\"\n";
    home.write("countersign.toml", &text("first").replace("[[target]]", &format!("{door}[[target]]")));
    let config = config::load(&home.folder.path().join("countersign.toml")).map_err(Problems).unwrap();
    let Door::Tls { tls: first, .. } = &config.listeners[1].door else { panic!("a TLS listener") };
    let current = Arc::new(ArcSwap::new(first.clone()));
    let opened = |listener: &config::Listener| Opened {
        name: listener.name.clone(),
        on: listener.door.to_string(),
        tls: matches!(listener.door, Door::Tls { .. }).then(|| current.clone()),
    };
    let opened: Vec<_> = config.listeners.iter().map(opened).collect();
    tls("main");
    assert!(home.reload(&opened).await.unwrap().is_empty());
    let renewed = current.load_full();
    assert!(!Arc::ptr_eq(&renewed, first));
    // A door that is gone from the configuration serves on with what it has.
    home.write("countersign.toml", &text("first"));
    assert_eq!(home.reload(&opened).await.unwrap(), ["listener `main`, TLS on 127.0.0.1:0, is gone and still open"]);
    assert!(Arc::ptr_eq(&renewed, &current.load_full()));
    // New doors and moved ones of every kind wait for a restart, and are named.
    let more = "[[listener]]\nname = \"c\"\naddress = \"127.0.0.1:9\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n\
                [[listener]]\nname = \"u\"\nunix = \"u.sock\"\n";
    let moved = door.replace(":0", ":9443");
    home.write("countersign.toml", &text("first").replace("[[target]]", &format!("{more}{moved}[[target]]")));
    let socket = home.folder.path().join("u.sock");
    assert_eq!(
        home.reload(&opened).await.unwrap(),
        [
            "listener `c`, cleartext on 127.0.0.1:9, is new and not open yet".to_owned(),
            format!("listener `u`, the Unix socket {}, is new and not open yet", socket.display()),
            "listener `main` is to be TLS on 127.0.0.1:9443 and still is TLS on 127.0.0.1:0".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_key_that_another_process_revokes_is_refused() {
    let home = Deployment::new().await;
    let file = home.folder.path().join("countersign.toml");
    // Any signal will do, as long as nobody sends it.
    let hangup = signal(SignalKind::window_change()).unwrap();
    let watching = tokio::spawn(watch(home.assembly.clone(), file, Vec::new(), hangup));
    assert!(home.models().await.contains("\"first\""));
    home.assembly.state().store().revoke_key(&home.id, clock::now()).await.unwrap();
    soon(async || home.models().await.contains("CS0204")).await;
    assert!(!watching.is_finished());
    watching.abort();
}

#[tokio::test]
async fn while_the_store_cannot_be_read_no_key_is_believed() {
    let home = Deployment::new().await;
    assert!(home.models().await.contains("\"first\""));
    home.assembly.state().store().close().await;
    let watching = keys(&home.assembly);
    let refused = soon(async || !home.models().await.contains("\"first\""));
    tokio::select! {
        () = watching => {}
        () = refused => {}
    }
}
