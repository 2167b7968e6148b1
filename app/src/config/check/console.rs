//! What people may do at the console.

use toml::Spanned;

use super::Check;
use crate::{
    config::{
        Issuer,
        raw::{RawConsole, RawPolicy, RawSignIn},
    },
    fetch,
    policies::Files,
    sign_in::Provider,
};

impl Check<'_> {
    /// Where the policy files are, and whether they may be written.
    pub(super) fn policy_files(
        &mut self,
        raw: Option<&Spanned<RawConsole>>,
        policy: &Spanned<RawPolicy>,
        cluster: bool,
    ) -> Files {
        let edited = raw.filter(|raw| raw.get_ref().edit_policies);
        if let Some(raw) = edited.filter(|_| cluster) {
            let what = "`edit_policies` changes the files of one node, and there are several";
            self.report(&raw.span(), what, "leave it out, and hand policies out with the configuration");
        }
        let place =
            |file: &Spanned<std::path::PathBuf>| (file.get_ref().display().to_string(), self.base.join(file.get_ref()));
        Files { all: policy.get_ref().files.iter().map(place).collect(), editable: edited.is_some() }
    }

    /// Where people sign in, if they do so anywhere but with keys and tokens.
    pub(super) fn sign_in(&mut self, raw: Option<&Spanned<RawConsole>>, issuers: &[Issuer]) -> Option<Provider> {
        let (at, raw) = (raw?.span(), raw?.get_ref().sign_in.as_ref()?);
        let RawSignIn { issuer, address, client_id, secret, scopes, resource } = raw;
        let named = issuers.iter().find(|one| *one.issuer.name == **issuer && one.issuer.speaks_for.is_none());
        // A trust domain's keys are no place where people sign in.
        let Some(found) = named.filter(|one| one.issuer.profile != countersign_identity::token::Profile::Spiffe) else {
            let what = format!("`sign_in` names `{issuer}`, which is no [[issuer]] that people sign in at");
            return self.wrong(&at, what, "name one whose access tokens are accepted here");
        };
        // The redirect URI is made of it, and compared to the letter.
        let place = address.parse::<fetch::Place>().ok();
        if !place.is_some_and(|place| place.is_safe(true) && place.to_string() == format!("{address}/")) {
            let fix = "write https, a host and perhaps a port, as in \"https://gateway.example:8444\"";
            return self.wrong(&at, "`address` of `sign_in` is not where a browser finds the console", fix);
        }
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !plain(client_id) || !scopes.iter().all(|scope| plain(scope)) || !scopes.iter().any(|s| s == "openid") {
            let fix = "write the console's id at the issuer, and scopes with `openid` among them";
            return self.wrong(&at, "`client_id` or `scopes` of `sign_in` will not do", fix);
        }
        let secret = match secret {
            Some(key) => Some(self.key(&at, key)?),
            None => None,
        };
        Some(Provider {
            source: found.source.clone(),
            address: address.clone(),
            client: client_id.clone(),
            secret,
            scopes: scopes.join(" "),
            resource: resource.clone(),
        })
    }
}
