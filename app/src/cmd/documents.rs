//! `countersign documents`: registers texts that answers must not reproduce, and says which of them a text reproduces.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, BufWriter, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use countersign_core::{Channel, Code, Document, Side, Trust};
use countersign_prints::{Added, Builder, Shape};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::{
    assemble,
    cli::{As, DocumentsCheck, DocumentsCommand, DocumentsIndex},
    cmd::{self, Failure},
    registered::{self, Heaps},
    state::State,
    term,
};

pub(crate) async fn run(command: DocumentsCommand) -> anyhow::Result<ExitCode> {
    match command {
        DocumentsCommand::Index(args) => index(&args).await,
        DocumentsCommand::Check(args) => check(&args).await,
    }
}

async fn index(args: &DocumentsIndex) -> anyhow::Result<ExitCode> {
    let state = State::of(&args.config).await?;
    let key = registered::key(state.ring())?;
    let mut files = Vec::new();
    for path in &args.paths {
        gather(path, &mut files).map_err(|e| unreadable(path, &e))?;
    }
    files.sort();
    let folder = args.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write `{}`", args.out.display());
    let mut temporary = tempfile::Builder::new();
    let out = temporary.prefix(".new-").permissions(Permissions::from_mode(0o600)).tempfile_in(folder);
    let out = BufWriter::with_capacity(1 << 20, out.with_context(cannot)?);
    let shape = match args.shape {
        As::Records => Shape::Records,
        As::Documents | As::Excerpts => Shape::Passages,
    };
    let heaps = Heaps::new(folder).with_context(cannot)?;
    let mut builder = Builder::new(&key, shape, &args.name, out, heaps).with_context(cannot)?;
    let (mut short, mut known) = (0u64, 0u64);
    let bar = progress(files.len() as u64);
    for path in &files {
        let mut add = |name: &str, text: &str| -> io::Result<()> {
            match builder.add(name, text)? {
                Added::Registered => {}
                Added::TooShort => short += 1,
                Added::Known => known += 1,
            }
            Ok(())
        };
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        let name = path.display();
        if args.shape == As::Documents {
            let mut text = String::new();
            BufReader::new(file).read_to_string(&mut text).map_err(|e| unreadable(path, &e))?;
            add(&name.to_string(), &text).with_context(cannot)?;
        } else {
            for (number, line) in (1u64..).zip(BufReader::new(file).lines()) {
                let line = line.map_err(|e| unreadable(path, &e))?;
                if !line.trim().is_empty() {
                    add(&format!("{name}:{number}"), &line).with_context(cannot)?;
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (built, out) = builder.finish().with_context(cannot)?;
    if built.units == 0 {
        let what = format!("there is nothing to index: {} file(s), {short} text(s) too short", files.len());
        return Err(Failure { code: Code::InputUnusable, what, fix: TOO_SHORT }.into());
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(&args.out).map_err(|e| e.error).with_context(cannot)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    term::say(format_args!(
        "{}: {} texts as `{}`, {} fingerprints, {} bytes",
        args.out.display(),
        built.units,
        args.name,
        built.prints,
        built.bytes
    ));
    for (count, what) in [
        (known, "texts that are there already"),
        (short, "texts that are too short to be told from ordinary language"),
        (built.common, "fingerprints that stand in too many places to say anything"),
    ] {
        if count > 0 {
            term::say(format_args!("  left out: {count} {what}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(args: &DocumentsCheck) -> anyhow::Result<ExitCode> {
    let config = cmd::configuration(&args.config)?;
    let state = State::existing(&args.config).await?;
    let registered = registered::open(&config.registered, state.ring())?;
    if registered.is_empty() {
        let fix = "make an index with `countersign documents index`, and name it in `[guard] registered`";
        return Err(Failure { code: Code::InputUnusable, what: "no texts are registered".into(), fix }.into());
    }
    let guard = assemble::guard(countersign_guard::Config { registered, ..Default::default() })?;
    let text = match (&args.file, args.text.as_deref()) {
        (Some(path), _) => fs::read_to_string(path).map_err(|e| unreadable(path, &e))?,
        (None, Some("-") | None) => {
            io::read_to_string(io::stdin().lock()).map_err(|e| unreadable(Path::new("-"), &e))?
        }
        (None, Some(text)) => text.to_owned(),
    };
    let document = Document::of_text(text, Channel::Assistant, Trust::Model);
    let mut found = 0;
    for finding in guard.scan(Side::Answer, &document) {
        let Some(it) = finding.reproduced else { continue };
        let (from, to) = (finding.span.start, finding.span.end);
        term::say(format_args!("{}: {} words of `{}`, bytes {from} to {to}", finding.rule, it.words, it.source));
        found += 1;
    }
    if found == 0 {
        term::say("nothing that is registered");
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file, or all in a folder and the folders in it. Hidden ones and links are left out.
fn gather(path: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            gather(&entry.path(), into)?;
        } else if kind.is_file() {
            into.push(entry.path());
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure {
        code: Code::InputUnusable,
        what: format!("`{}` cannot be read: {error}", path.display()),
        fix: "give UTF-8 text that can be read; nothing was written",
    }
}

fn progress(steps: u64) -> ProgressBar {
    let target = if term::watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(steps), target)
}

const TOO_SHORT: &str = "documents and excerpts need 16 words; of a record, two fields of 6 letters or digits";
