//! A real browser, for what people look at.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// Chromium, and where the scripts are that drive it.
#[derive(Debug)]
pub struct Browser {
    chromium: PathBuf,
    scripts: PathBuf,
}

impl Browser {
    /// The browser, where it is installed, and what drives it among `scripts`.
    ///
    /// # Panics
    /// Where CI runs and it is not there.
    #[must_use]
    pub fn find(scripts: &Path) -> Option<Self> {
        let chromium = PathBuf::from("/usr/bin/chromium");
        if chromium.exists() && scripts.join("node_modules/playwright-core").exists() {
            return Some(Self { chromium, scripts: scripts.to_owned() });
        }
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no browser is installed: run `cargo xtask test`");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("SKIPPED: Chromium is not installed; `cargo xtask test` installs it");
        }
        None
    }

    /// Has a script drive it over a stage, an object, to which the browser's place is added; what the script saw.
    ///
    /// # Panics
    /// When the script does not come to its end.
    #[must_use]
    pub fn walk(&self, script: &str, mut stage: Value) -> Value {
        stage["chromium"] = self.chromium.to_string_lossy().into();
        let mut node = Command::new("node")
            .arg(self.scripts.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        node.stdin.take().expect("a pipe").write_all(stage.to_string().as_bytes()).expect("node reads");
        let output = node.wait_with_output().expect("node ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        serde_json::from_str(&said).expect("a report")
    }
}
