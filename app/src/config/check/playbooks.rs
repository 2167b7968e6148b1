//! Playbooks are read, and wholly understood, before anything is bound.

use std::sync::Arc;

use countersign_core::Code;
use countersign_playbook::{Playbook, shipped};
use countersign_provider::{Address, Base};
use lettre::message::Mailbox;
use toml::Spanned;

use super::{
    super::{
        Problem,
        raw::{RawChannel, RawPlaybooks},
    },
    Check, Place, TOP,
};
use crate::{
    fetch,
    playbooks::{Book, Channel, Chosen, Cover, Mail, Way},
};

impl Check<'_> {
    pub(super) fn playbooks(
        &mut self,
        raw: Option<Spanned<RawPlaybooks>>,
        channels: Vec<Spanned<RawChannel>>,
    ) -> Chosen {
        let at = raw.as_ref().map_or(TOP, Spanned::span);
        let RawPlaybooks { act, files, most_percent, at_least } = raw.map(Spanned::into_inner).unwrap_or_default();
        if most_percent > 100 {
            self.report(&at, "`most_percent` is more than 100", "write 0 to 100");
        }
        let mut books: Vec<Book> = Vec::new();
        for path in &files {
            let Some(text) = self.read(&at, path) else { continue };
            match Playbook::read(&text) {
                Ok(playbook) if books.iter().any(|book| book.playbook.name == playbook.name) => {
                    let what = format!("two of the `files` are named `{}`", playbook.name);
                    self.report(&at, what, "give each its own `name`");
                }
                Ok(playbook) => books.push(Book { playbook: playbook.into(), acts: false }),
                Err(fault) => self.problems.push(Problem {
                    code: Code::PlaybookInvalid,
                    file: self.base.join(path),
                    line: fault.line,
                    what: fault.what,
                    fix: "see docs/reference/playbooks.md for what is executed".into(),
                }),
            }
        }
        for playbook in shipped() {
            if books.iter().all(|book| book.playbook.name != playbook.name) {
                books.push(Book { playbook: Arc::new(playbook), acts: false });
            }
        }
        for name in &act {
            match books.iter_mut().find(|book| book.playbook.name == *name) {
                Some(book) => book.acts = true,
                None => {
                    let fix = "see `countersign playbook list` for their names";
                    self.report(&at, format!("`act` names `{name}`, which is no playbook"), fix);
                }
            }
        }
        self.distinct("channel", channels.iter().map(|c| (c.get_ref().name.as_str(), c.span())));
        let channels = channels.into_iter().filter_map(|c| self.channel(&c.span(), c.into_inner())).collect();
        Chosen { books, most_percent, at_least, channels }
    }

    fn channel(&mut self, at: &Place, raw: RawChannel) -> Option<Channel> {
        let clear = self.lets_clear(at, raw.cleartext.as_deref())?;
        let secret = match &raw.secret {
            Some(key) => Some(self.key(at, key)?),
            None => None,
        };
        let ca = self.authorities(at, raw.ca.as_deref())?;
        let way = self.way(at, &raw, clear)?;
        let takes_secret = match &way {
            Way::Post(..) => true,
            Way::Syslog(_) => false,
            Way::Mail(_) => raw.user.is_some(),
        };
        if secret.is_some() && !takes_secret {
            return self.wrong(
                at,
                "`secret` is for what is posted, or for the `user` of a mail server",
                "leave it out",
            );
        }
        Some(Channel { name: raw.name, way, secret, ca })
    }

    fn way(&mut self, at: &Place, raw: &RawChannel, clear: bool) -> Option<Way> {
        let RawChannel { url, form, from, to, user, .. } = raw;
        let scheme = url.split("://").next().unwrap_or_default();
        let is_mail = matches!(scheme, "smtp" | "smtps");
        if !is_mail && (from.is_some() || !to.is_empty() || user.is_some()) {
            return self.wrong(
                at,
                "`from`, `to` and `user` are for mail",
                "write smtps://HOST:PORT, or leave them out",
            );
        }
        if form.is_some() && matches!(scheme, "smtp" | "smtps" | "tls" | "tcp") {
            return self.wrong(at, "`form` is for what is posted", "leave it out: syslog and mail have one form");
        }
        if is_mail {
            return self.mail(at, raw, clear);
        }
        let way = match (scheme, server(url)) {
            ("tls", Some(address)) => Some(Way::Syslog(Base::Https(address))),
            ("tcp", Some(address)) if clear && fetch::is_loopback(&address.host) => {
                Some(Way::Syslog(Base::Http(address)))
            }
            _ => {
                let place = url.parse::<fetch::Place>().ok().filter(|place| place.is_safe(clear));
                place.map(|place| Way::Post(place, form.unwrap_or_default()))
            }
        };
        let fix = "write an https URL, tls://HOST:PORT, smtps://HOST:PORT or smtp://HOST:PORT";
        way.or_else(|| self.wrong(at, "the `url` of a channel is no address that can be told", fix))
    }

    fn mail(&mut self, at: &Place, raw: &RawChannel, clear: bool) -> Option<Way> {
        let RawChannel { url, from, to, user, secret, .. } = raw;
        let found = server(url).and_then(|address| match clear {
            _ if url.starts_with("smtps") => Some((address, Cover::Always)),
            false => Some((address, Cover::StartTls)),
            true => fetch::is_loopback(&address.host).then_some((address, Cover::Never)),
        });
        let Some((address, cover)) = found else {
            let fix = "write smtps://HOST:PORT or smtp://HOST:PORT; `cleartext` is for loopback alone";
            return self.wrong(at, "the `url` of a channel is no mail server that can be told", fix);
        };
        if user.is_some() != secret.is_some() {
            return self.wrong(at, "a mail server asks for both, `user` and `secret`", "write both, or neither");
        }
        if user.is_some() && cover == Cover::Never {
            return self.wrong(at, "a password would go in the clear", "leave `cleartext` out, or `user` and `secret`");
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().ok();
        let (from, to): (_, Option<Vec<_>>) = (from.as_ref().and_then(mailbox), to.iter().map(mailbox).collect());
        let (Some(from), Some(to)) = (from, to.filter(|to| !to.is_empty())) else {
            return self.wrong(at, "letters have nobody whom they come `from` or go `to`", "write addresses of mail");
        };
        Some(Way::Mail(Mail { host: address.host, port: address.port, cover, user: user.clone(), from, to }))
    }
}

/// The host and port of `SCHEME://HOST:PORT`, which has nothing after it.
fn server(url: &str) -> Option<Address> {
    let (_, rest) = url.split_once("://")?;
    let named = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match format!("http://{rest}").parse::<Base>() {
        Ok(Base::Http(address)) if named => Some(address),
        _ => None,
    }
}
