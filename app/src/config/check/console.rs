//! What people may do at the console.

use toml::Spanned;

use super::Check;
use crate::{
    config::raw::{RawConsole, RawPolicy},
    policies::Files,
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
}
