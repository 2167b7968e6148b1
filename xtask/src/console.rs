//! Fetches what the console's pages are made with, by the names and digests of `console/vendor/package-lock.json`, and writes the few
//! files that the binary holds. They are committed, so that building needs neither npm nor a network. And takes their pictures.

use std::{fmt::Write, fs, path::Path, process::Command};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};

use crate::shell;

/// Writes `console/vendor` anew.
pub(crate) fn vendor() -> anyhow::Result<()> {
    let (to, work) = (Path::new("console/vendor"), Path::new(".tools/console"));
    fs::create_dir_all(work)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(to.join(name), work.join(name))?;
    }
    shell::run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(work))?;
    let (mut sums, mut licences) = (String::new(), String::new());
    for (package, from, name) in FILES {
        let from = work.join("node_modules").join(package).join(from);
        let text = fs::read_to_string(&from).with_context(|| format!("`{}` cannot be read", from.display()))?;
        let text = by_place(&text);
        writeln!(sums, "{}  {name}", data_encoding::HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref()))?;
        fs::write(to.join(name), text)?;
    }
    for package in PACKAGES {
        let licence = fs::read_to_string(work.join("node_modules").join(package).join("LICENSE"))?;
        writeln!(licences, "== {package}\n\n{}\n", licence.trim())?;
    }
    fs::write(to.join("SHA256SUMS"), sums)?;
    fs::write(to.join("LICENSES"), licences)?;
    fs::remove_dir_all(work)?;
    Ok(())
}

/// Takes the pictures that the documents show, on the end-to-end test's way through the console.
pub(crate) fn screenshots() -> anyhow::Result<()> {
    shell::run(&mut shell::cargo(["build", "--package", "countersign"]))?;
    let shots = shell::root().join("docs/images");
    let mut test = shell::cargo(["test", "--package", "countersign-e2e", "--test", "console"]);
    shell::run(test.env("CI", "true").env("COUNTERSIGN_SHOTS", shots))
}

/// A page under our policy loads modules by their place, not by a package's name; and nobody has the source maps.
fn by_place(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, place) in PLACES {
        text = text.replace(&format!("from\"{name}\""), &format!("from\"{place}\""));
    }
    let end = text.rfind("//# sourceMappingURL=").unwrap_or(text.len());
    text.truncate(end);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Package, file in it, file here.
const FILES: [(&str, &str, &str); 7] = [
    ("preact", "dist/preact.mjs", "preact.js"),
    ("preact", "hooks/dist/hooks.mjs", "hooks.js"),
    ("@preact/signals-core", "dist/signals-core.module.js", "signals-core.js"),
    ("@preact/signals", "dist/signals.module.js", "signals.js"),
    ("htm", "dist/htm.module.js", "htm.js"),
    ("uplot", "dist/uPlot.iife.min.js", "uplot.js"),
    ("uplot", "dist/uPlot.min.css", "uplot.css"),
];
const PACKAGES: [&str; 5] = ["@preact/signals", "@preact/signals-core", "htm", "preact", "uplot"];
const PLACES: [(&str, &str); 3] =
    [("preact", "./preact.js"), ("preact/hooks", "./hooks.js"), ("@preact/signals-core", "./signals-core.js")];
