//! Playbooks are read, and wholly understood, before anything is bound.

use std::sync::Arc;

use countersign_core::Code;
use countersign_playbook::{Playbook, shipped};
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
    playbooks::{Book, Channel, Chosen},
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
        let clear = match raw.cleartext.as_deref() {
            None => false,
            Some("i-accept-cleartext-on-loopback") => true,
            Some(_) => return self.wrong(at, "`cleartext` has another value than the one it takes", "leave it out"),
        };
        let place = raw.url.parse::<fetch::Place>().ok().filter(|place| place.is_safe(clear));
        let Some(place) = place else {
            return self.wrong(at, "the `url` of a channel is no address that can be told", "write an https URL");
        };
        let secret = match &raw.secret {
            Some(key) => Some(self.key(at, key)?),
            None => None,
        };
        let ca = match &raw.ca {
            Some(path) => Some(self.read(at, path)?),
            None => None,
        };
        if let Some(Err(e)) = ca.as_deref().map(countersign_provider::Trust::given) {
            return self.wrong(at, format!("`ca`: {e}"), "name a PEM file of certificates");
        }
        Some(Channel { name: raw.name, place, form: raw.form, secret, ca })
    }
}
