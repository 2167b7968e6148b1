//! The playbooks that come with Countersign.

use crate::Playbook;

/// Their names and their texts.
pub const SHIPPED: &[(&str, &str)] = &[
    ("repeated-extraction", include_str!("../playbooks/repeated-extraction.json")),
    ("account-takeover", include_str!("../playbooks/account-takeover.json")),
    ("data-exfiltration", include_str!("../playbooks/data-exfiltration.json")),
    ("canary-tripped", include_str!("../playbooks/canary-tripped.json")),
    ("poisoned-tool-result", include_str!("../playbooks/poisoned-tool-result.json")),
    ("runaway-agent", include_str!("../playbooks/runaway-agent.json")),
];

/// All of them. What cannot be read is none, and a test says that all can be.
#[must_use]
pub fn shipped() -> Vec<Playbook> {
    SHIPPED.iter().filter_map(|(_, text)| Playbook::read(text.as_bytes()).ok()).collect()
}
