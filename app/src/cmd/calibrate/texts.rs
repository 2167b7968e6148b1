//! Texts in files, folders and JSON Lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_core::{Channel, Document, Side, Trust};
use countersign_wire::inspect::{Inspect, Shape};
use serde_json::Value;

use crate::cli::Writer;

/// Hands each text, or request, and where it stands to `take`.
///
/// # Errors
/// What is wrong with the first that is none.
pub(super) fn each(
    paths: &[PathBuf],
    voice: Writer,
    most: usize,
    take: &mut dyn FnMut(&str, &Document),
) -> Result<(), String> {
    let mut reader = Reader { voice, most, take };
    for path in paths {
        if path.as_os_str() == "-" {
            reader.lines("-", io::stdin().lock())?;
        } else {
            reader.open(path)?;
        }
    }
    Ok(())
}

struct Reader<'a> {
    voice: Writer,
    /// Bytes of a text.
    most: usize,
    take: &'a mut dyn FnMut(&str, &Document),
}

impl Reader<'_> {
    /// A file, or all that a folder holds, in order. What begins with a dot is not looked at, links in folders are not followed.
    fn open(&mut self, path: &Path) -> Result<(), String> {
        let said = |e: io::Error| format!("`{}` cannot be read: {e}", path.display());
        if !path.is_dir() {
            return self.file(path);
        }
        let mut inside = Vec::new();
        for entry in path.read_dir().map_err(said)? {
            let entry = entry.map_err(said)?;
            let plain = entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_file());
            if plain && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                inside.push(entry.path());
            }
        }
        inside.sort();
        inside.iter().try_for_each(|path| self.open(path))
    }

    fn file(&mut self, path: &Path) -> Result<(), String> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| format!("`{name}` cannot be read: {e}"))?;
        if path.extension().is_some_and(|e| e == "jsonl" || e == "ndjson") {
            return self.lines(&name, BufReader::new(file));
        }
        let mut text = Vec::new();
        file.take(self.most as u64 + 1).read_to_end(&mut text).map_err(|e| format!("`{name}` cannot be read: {e}"))?;
        let text = String::from_utf8(text).map_err(|_| format!("`{name}` is not UTF-8 text"))?;
        self.text(&name, &text)
    }

    fn lines(&mut self, name: &str, mut from: impl BufRead) -> Result<(), String> {
        let mut line = Vec::new();
        for number in 1.. {
            let place = format!("{name}:{number}");
            line.clear();
            let room = LINE * self.most as u64;
            let read = from.by_ref().take(room).read_until(b'\n', &mut line);
            if read.map_err(|e| format!("{place} cannot be read: {e}"))? == 0 {
                break;
            }
            if line.len() as u64 >= room {
                return Err(format!("{place} is too long"));
            }
            if !line.trim_ascii().is_empty() {
                self.line(&place, &line)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, place: &str, line: &[u8]) -> Result<(), String> {
        match serde_json::from_slice(line) {
            Ok(Value::String(text)) => self.text(place, &text),
            Ok(Value::Object(members)) if members.contains_key("messages") => {
                // Its own reader takes what the gateway takes, and no more.
                let asked =
                    Inspect::read(Shape::Guard, &Bytes::copy_from_slice(line), &countersign_wire::Limits::default());
                let asked = asked.map_err(|e| format!("{place}: {e}"))?;
                let parts = asked.texts.iter().flat_map(|text| &text.parts);
                parts.filter(|part| part.side == Side::Prompt).for_each(|part| (self.take)(place, &part.document));
                Ok(())
            }
            Ok(Value::Object(members)) => match members.get("text") {
                Some(Value::String(text)) => self.text(place, text),
                _ => Err(format!("{place} has neither a `text` nor `messages`")),
            },
            Ok(_) => Err(format!("{place} is neither a text nor an object")),
            Err(_) => Err(format!("{place} is not JSON")),
        }
    }

    fn text(&mut self, place: &str, text: &str) -> Result<(), String> {
        if text.len() > self.most {
            return Err(format!("{place} is longer than the guards take ({} bytes)", self.most));
        }
        let (channel, trust) = match self.voice {
            Writer::User => (Channel::User, Trust::Caller),
            Writer::Tool => (Channel::ToolResult, Trust::Untrusted),
        };
        (self.take)(place, &Document::of_text(text, channel, trust));
        Ok(())
    }
}

/// Bytes of a line for each of a text's: what is escaped is longer.
const LINE: u64 = 4;
