//! Tells somebody by a letter.
//!
//! Nothing that a mail server says is repeated but its code: what it writes could be anything, and ends up before people.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use countersign_core::{Secret, Timestamp};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor,
    message::header::ContentType,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use super::{Message, PATIENCE, Untold, plain};
use crate::{
    clock,
    playbooks::{Cover, Mail},
};

impl Message<'_> {
    /// Hands a letter to the mail server, which answers for it from then on.
    pub(super) async fn mail(
        &self,
        mail: &Mail,
        ca: Option<&[u8]>,
        secret: Option<&Secret<String>>,
        now: Timestamp,
    ) -> Result<(), Untold> {
        let tls = match mail.cover {
            Cover::Never => Tls::None,
            Cover::StartTls => Tls::Required(parameters(mail, ca).await?),
            Cover::Always => Tls::Wrapper(parameters(mail, ca).await?),
        };
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
            .port(mail.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let (Some(user), Some(secret)) = (&mail.user, secret) {
            server = server.credentials(Credentials::new(user.clone(), secret.expose().clone()));
        }
        let letter = self.letter(mail, now)?;
        let sent = server.build().send(letter).await;
        sent.map(drop).map_err(|error| Untold { why: why(&error), again: !error.is_permanent() })
    }

    fn letter(&self, mail: &Mail, now: Timestamp) -> anyhow::Result<Letter> {
        let told = &self.run.told;
        let to = mail.to.iter().fold(Letter::builder().from(mail.from.clone()), |letter, to| letter.to(to.clone()));
        to.subject(format!("Countersign: {}, risk {}", told.pattern, told.risk))
            .date(UNIX_EPOCH + Duration::from_secs(now.seconds()))
            .message_id(Some(format!("<{}@{}>", self.id, self.node)))
            .header(ContentType::TEXT_PLAIN)
            .body(self.text())
            .context("the letter cannot be written")
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\nIt rests on:\n", self.line());
        for because in &self.run.told.because {
            let at = clock::rfc3339(Timestamp(because.at));
            text.push_str(&format!("{at}  request {}  {}\n", plain(&because.request), plain(&because.what)));
        }
        text
    }
}

async fn parameters(mail: &Mail, ca: Option<&[u8]>) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(mail.host.clone());
    if let Some(pem) = ca {
        let given = Certificate::from_pem(pem).map_err(|_| anyhow::anyhow!("`ca` holds no certificates"))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(given);
    }
    // Without authorities of its own it reads the system's, from files.
    Ok(tokio::task::spawn_blocking(move || builder.build()).await??)
}

/// Why a letter was not taken, in words of our own.
fn why(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answers with code {code}"),
        None if error.is_timeout() => "the mail server takes too long".to_owned(),
        None if error.is_client() => "the mail server lacks what is needed: TLS, or a way to log in".to_owned(),
        None if error.is_response() => "the mail server answers with something else than SMTP".to_owned(),
        None => "the mail server cannot be reached, or does not show who it is".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{message, run},
        *,
    };

    #[test]
    fn a_letter_is_named_and_nobody_writes_into_its_head() {
        let mail = Mail {
            host: "localhost".into(),
            port: 25,
            cover: Cover::Never,
            user: None,
            from: "Countersign <gateway@bank.example>".parse().unwrap(),
            to: vec!["Sécurité <security@bank.example>".parse().unwrap(), "ann@bank.example".parse().unwrap()],
        };
        let run = run("principal:bank/eve\r\n.\r\nBcc: all@bank.example");
        let letter = message(&run).letter(&mail, Timestamp(1_700_000_000_000_000)).unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Message-ID: <msg_1@node-1>\r\n"), "{head}");
        assert!(head.contains("Subject: Countersign: canary-tripped, risk 90\r\n"), "{head}");
        assert!(head.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000"), "{head}");
        assert!(!head.contains("Bcc") && !body.contains("\nBcc") && !body.contains("\n."), "{text}");
        assert!(body.contains("run_1") && body.contains("req_1"), "{body}");
        assert_eq!(letter.envelope().to().len(), 2);
    }
}
