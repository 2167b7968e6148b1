//! What the detectors' rules are called. A configuration that speaks of another name would have a rule that never fits.

/// The name of every rule, sorted.
pub const RULES: [&str; 117] = [
    "canary/token",
    "copied/argument",
    "exfiltration/html",
    "exfiltration/image",
    "exfiltration/link",
    "exfiltration/send-out",
    "extraction/records",
    "extraction/system-prompt",
    "extraction/verbatim",
    "hidden/comment",
    "hidden/encoded",
    "hidden/invisible",
    "hidden/message",
    "hidden/style",
    "injection/addresses-model",
    "injection/authority",
    "injection/conceal",
    "injection/doubtful",
    "injection/escalation",
    "injection/judged",
    "injection/learned",
    "injection/mode",
    "injection/new-task",
    "injection/override",
    "injection/persona",
    "injection/planted",
    "injection/role-marker",
    "injection/steers-reply",
    "injection/suppress-refusal",
    "leak/document",
    "leak/system-prompt",
    "limit/decoded",
    "limit/leaf-size",
    "limit/leaves",
    "limit/repetition",
    "limit/run",
    "personal/aadhaar",
    "personal/bank-account",
    "personal/bank-routing",
    "personal/bsn",
    "personal/card",
    "personal/card-code",
    "personal/cpf",
    "personal/dni",
    "personal/driver-license",
    "personal/email",
    "personal/health-plan",
    "personal/iban",
    "personal/medical-record",
    "personal/nhs",
    "personal/npi",
    "personal/passport",
    "personal/pesel",
    "personal/phone",
    "personal/us-itin",
    "personal/us-ssn",
    "secret/adafruit-key",
    "secret/age-key",
    "secret/anthropic-key",
    "secret/artifactory-token",
    "secret/assigned",
    "secret/atlassian-token",
    "secret/aws-appsync-key",
    "secret/aws-key-id",
    "secret/aws-mws-token",
    "secret/bedrock-key",
    "secret/connection-string",
    "secret/databricks-token",
    "secret/digitalocean-token",
    "secret/django-key",
    "secret/docker-token",
    "secret/doppler-token",
    "secret/dropbox-token",
    "secret/dynatrace-token",
    "secret/facebook-token",
    "secret/figma-token",
    "secret/firecrawl-key",
    "secret/github-token",
    "secret/gitlab-token",
    "secret/google-key",
    "secret/google-oauth",
    "secret/grafana-token",
    "secret/groq-key",
    "secret/hashicorp-vault",
    "secret/huggingface-token",
    "secret/jina-key",
    "secret/linear-key",
    "secret/mapbox-token",
    "secret/newrelic-key",
    "secret/npm-token",
    "secret/nuget-key",
    "secret/odoo-token",
    "secret/openai-key",
    "secret/password",
    "secret/password-hash",
    "secret/perplexity-key",
    "secret/pixie-key",
    "secret/postman-key",
    "secret/private-key",
    "secret/pypi-token",
    "secret/replicate-token",
    "secret/rubygems-key",
    "secret/sendgrid-key",
    "secret/shopify-token",
    "secret/slack-token",
    "secret/slack-webhook",
    "secret/sourcegraph-token",
    "secret/square-token",
    "secret/stackhawk-key",
    "secret/stripe-key",
    "secret/supabase-key",
    "secret/tavily-key",
    "secret/teams-webhook",
    "secret/telegram-token",
    "secret/twilio-key",
    "secret/web-token",
    "secret/xai-key",
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Every name that stands in the code of this crate.
    fn written(folder: &Path, names: &mut BTreeSet<String>) {
        let families: BTreeSet<_> = RULES.iter().filter_map(|name| name.split('/').next()).collect();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                written(&path, names);
                continue;
            }
            if ["tests.rs", "testing.rs", "names.rs"].iter().any(|name| path.ends_with(name)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in code.split('"') {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                if let Some((family, rule)) = word.split_once('/')
                    && families.contains(family)
                    && !rule.is_empty()
                    && rule.chars().all(plain)
                {
                    names.insert(word.to_owned());
                }
            }
        }
    }

    #[test]
    fn the_list_of_rules_is_what_the_detectors_report() {
        let mut names = BTreeSet::new();
        written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        assert!(RULES.is_sorted());
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), RULES);
    }
}
