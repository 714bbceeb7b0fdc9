//! The configuration: what is allowed, and is hardly what was meant.

use clawvoice_config::Config;

use super::finding::Finding;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .warnings
        .iter()
        .map(|warning| Finding::warn("config", warning.to_string()))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("config", "the configuration is read without a complaint"));
    }
    findings
}
