//! The house rules that a machine can check.

use std::{collections::BTreeMap, fs};

use anyhow::ensure;
use cargo_metadata::MetadataCommand;
use countersign_core::Code;

use crate::shell;

pub(crate) fn run() -> anyhow::Result<()> {
    let files = tracked()?;
    let mut wrong = Vec::new();
    arrows(&mut wrong)?;
    sizes(&files, &mut wrong);
    stamps(&files, &mut wrong);
    pages(&mut wrong);
    dependencies(&mut wrong)?;
    promises(&files, &mut wrong);
    for line in &wrong {
        shell::say(&format!("tidy: {line}"));
    }
    ensure!(wrong.is_empty(), "{} house rules broken", wrong.len());
    shell::say(&format!("tidy: {} files, no rule broken", files.len()));
    Ok(())
}

/// Every text file of the repository that git knows or would know, with its content.
fn tracked() -> anyhow::Result<BTreeMap<String, String>> {
    let list = shell::output(std::process::Command::new("git").args(["ls-files", "-co", "--exclude-standard"]))?;
    Ok(list.lines().filter_map(|path| Some((path.to_owned(), fs::read_to_string(path).ok()?))).collect())
}

/// Arrows go down only: base <- flow <- gateway <- app and base <- watch <- app, and stages never depend on one another.
fn arrows(wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let root = metadata.workspace_root.clone();
    let places: BTreeMap<String, String> = metadata
        .packages
        .iter()
        .map(|p| {
            let place = p.manifest_path.strip_prefix(&root).unwrap_or(&p.manifest_path);
            (p.name.to_string(), place.parent().map(ToString::to_string).unwrap_or_default())
        })
        .collect();
    for package in &metadata.packages {
        let from = &places[package.name.as_str()];
        for dependency in &package.dependencies {
            let Some(to) = places.get(&dependency.name) else { continue };
            // Tests may stand on the test kit and on what they test with.
            if dependency.kind == cargo_metadata::DependencyKind::Development {
                continue;
            }
            if !may(from, to) {
                wrong.push(format!("wrong arrow: {from} depends on {to}"));
            }
        }
    }
    Ok(())
}

/// Whether code at `from` may depend on code at `to`.
fn may(from: &str, to: &str) -> bool {
    let base = |path: &str| path.starts_with("crates/base/");
    let watch = |path: &str| path.starts_with("crates/watch/");
    let core = "crates/base/core";
    match from {
        "app" => base(to) || to.starts_with("crates/flow/") || watch(to),
        "crates/flow/gateway" => base(to) || (to.starts_with("crates/flow/") && to != from),
        "xtask" | "e2e" | "testkit" => to == core || to == "testkit" || base(to) || to == "crates/flow/gateway",
        "train" => base(to) || to == "crates/watch/monitor",
        from if from == core => false,
        from if base(from) => to == core,
        from if from.starts_with("crates/flow/") || watch(from) => base(to),
        _ => false,
    }
}

fn sizes(files: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    for (path, text) in files.iter().filter(|(path, _)| is_code(path)) {
        let lines = text.lines().count();
        if lines > 1000 {
            wrong.push(format!("{path}: {lines} lines; a file has at most 1,000"));
        }
    }
}

/// Proofs are only worth something if stamps are issued in one place. Tests make their own.
fn stamps(files: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    let call = concat!("Stamps::", "issue(");
    let home = ["app/src/assemble.rs", "crates/base/core/src/life.rs"];
    for (path, text) in files {
        let tests = path.contains("/tests")
            || path.contains("/examples/")
            || path.starts_with("fuzz/")
            || path.starts_with("testkit/");
        // A module that is compiled for tests only.
        let tests = tests
            || path.rsplit_once('/').is_some_and(|(folder, file)| {
                let module = format!("#[cfg(test)]\nmod {};", file.trim_end_matches(".rs"));
                let parents = [format!("{folder}/lib.rs"), format!("{folder}.rs")];
                parents.iter().any(|parent| files.get(parent).is_some_and(|text| text.contains(&module)))
            });
        let at = text.find(call);
        let in_test_module = at.zip(text.find("#[cfg(test)]")).is_some_and(|(at, tests)| tests < at);
        if path.ends_with(".rs") && at.is_some() && !tests && !in_test_module && !home.contains(&path.as_str()) {
            wrong.push(format!("{path}: issues stamps; only app/src/assemble.rs may"));
        }
    }
}

fn pages(wrong: &mut Vec<String>) {
    for code in Code::ALL {
        if !fs::exists(format!("docs/errors/{}.md", code.id())).unwrap_or(false) {
            wrong.push(format!("docs/errors/{}.md is missing", code.id()));
        }
    }
}

/// Every dependency is a decision with a line.
fn dependencies(wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let lines = fs::read_to_string("docs/dependencies.md")?;
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let ours: Vec<_> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let mut named: Vec<_> =
        metadata.packages.iter().flat_map(|p| p.dependencies.iter().map(|d| d.name.clone())).collect();
    named.sort();
    named.dedup();
    for name in named.iter().filter(|n| !ours.contains(n)) {
        if !lines.contains(&format!("`{name}`")) {
            wrong.push(format!("docs/dependencies.md has no line on `{name}`"));
        }
    }
    Ok(())
}

/// Every promise names its test, and the test is there.
fn promises(files: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    let Some(specification) = files.get("SPECIFICATION.md") else {
        wrong.push("SPECIFICATION.md is missing".into());
        return;
    };
    let code: String = files.iter().filter(|(path, _)| is_code(path)).map(|(_, text)| text.as_str()).collect();
    for row in specification.lines().filter(|l| l.starts_with("| P")) {
        if row.contains("*pending*") {
            continue;
        }
        let proof = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let tests: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("SPECIFICATION.md: no test and not pending: {row}"));
        }
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or(test);
            // A file of tests, a folder of them, or one by its name.
            let file =
                files.keys().any(|path| path.ends_with(&format!("/{test}")) || path.starts_with(&format!("{test}/")));
            if !test.starts_with("cargo ") && !file && !code.contains(&format!("fn {name}(")) {
                wrong.push(format!("SPECIFICATION.md: there is no test `{test}`"));
            }
        }
    }
}

fn is_code(path: &str) -> bool {
    [".rs", ".py", ".mjs", ".ts", ".tsx"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_down_only() {
        assert!(may("app", "crates/flow/gateway"));
        assert!(may("crates/flow/guard", "crates/base/core"));
        assert!(may("app", "crates/watch/monitor") && may("crates/watch/monitor", "crates/base/core"));
        assert!(
            !may("crates/flow/gateway", "crates/watch/monitor") && !may("crates/watch/monitor", "crates/flow/audit")
        );
        assert!(may("crates/flow/gateway", "crates/flow/guard"));
        assert!(!may("crates/flow/guard", "crates/flow/policy"));
        assert!(!may("crates/base/wire", "crates/base/seal"));
        assert!(!may("crates/base/core", "crates/base/wire"));
        assert!(!may("crates/flow/gateway", "app"));
    }
}
