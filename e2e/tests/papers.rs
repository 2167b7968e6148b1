//! What people read and copy is tried as it stands: every example, the cases beside it, and the README's first steps.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use countersign_testkit::binary;

#[test]
fn every_example_is_valid_and_its_cases_pass() {
    let mut tried = 0;
    for folder in fs::read_dir(root().join("examples")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let config = folder.join("countersign.toml");
        for arguments in [&["check"][..], &["policy", "test", &text(&folder.join("cases.toml"))]] {
            let output = countersign(&folder).args(arguments).arg("--config").arg(&config).output().unwrap();
            assert!(output.status.success(), "{} {arguments:?}: {}", folder.display(), said(&output));
        }
        assert!(folder.join("README.md").exists(), "{} has no README.md", folder.display());
        tried += 1;
    }
    assert!(tried >= 8, "only {tried} examples were found");
}

#[test]
fn the_first_steps_of_the_readme_work() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let steps = readme.split("## First steps").nth(1).and_then(|rest| rest.split("```").nth(1)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut place = home.path().to_path_buf();
    let mut tried = Vec::new();
    for line in steps.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (line, into) = line.split_once('>').map_or((line, None), |(l, file)| (l, Some(file.trim())));
        let mut words = line.split_whitespace();
        match words.next() {
            Some("cd") => place.push(words.next().unwrap()),
            // Serving is what every other test does.
            Some("countersign") if !line.ends_with("serve") => {
                let output = countersign(&place).args(words).output().unwrap();
                assert!(output.status.success(), "{line}: {}", said(&output));
                if let Some(file) = into {
                    fs::write(place.join(file), output.stdout).unwrap();
                }
                tried.push(line.to_owned());
            }
            _ => {}
        }
    }
    assert!(tried.len() >= 3, "only {tried:?} were tried");
    let key = fs::read_to_string(place.join("alice.key")).unwrap();
    assert!(key.starts_with("csk_") && key.trim().len() == 53, "the key is alone in its file");
}

#[test]
fn the_configuration_that_init_writes_is_short_and_commented() {
    let home = tempfile::tempdir().unwrap();
    assert!(countersign(home.path()).arg("init").output().unwrap().status.success());
    let config = fs::read_to_string(home.path().join("countersign.toml")).unwrap();
    assert!(config.lines().count() < 60, "{} lines", config.lines().count());
    assert!(config.lines().filter(|l| l.contains('#')).count() >= 20);
}

fn countersign(place: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(place).env_remove("COUNTERSIGN_CONFIG");
    for key in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "COLLECTOR_TOKEN"] {
        command.env(key, "not-a-key");
    }
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
