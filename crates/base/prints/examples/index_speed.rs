//! What an index costs: time to build, bytes of the file and in memory, and microseconds for a KB of answer.
//!
//! `cargo run --release -p countersign-prints --example index_speed [DOCUMENTS] [FOLDER]`, 1,000,000 documents of 2 KB by default.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
    time::Instant,
};

use countersign_core::Secret;
use countersign_prints::{Builder, Index, Key, PARTS, Scratch, Shape, Source, Trail, words::Words, words::mix};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let documents: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = arguments.next().map_or_else(env::temp_dir, Into::into);
    let path = folder.join("index_speed.idx");
    let key = Key::new(&Secret::new([1; 32]));

    let begun = Instant::now();
    let out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let mut builder = Builder::new(&key, Shape::Passages, "speed", out, Heaps::new(&folder)?)?;
    let mut bytes = 0;
    for number in 0..documents {
        let text = text(number, 2048);
        bytes += text.len();
        builder.add(&format!("folder/document-{number}.txt"), &text)?;
    }
    let (built, out) = builder.finish()?;
    out.into_inner()?.sync_all()?;
    let took = begun.elapsed();
    println!("built: {documents} documents, {} MB of text, {:.0} s, {built:?}", bytes / 1_000_000, took.as_secs_f64());
    println!(
        "file: {:.0} bytes a document; in memory while it was built: {} MB",
        built.bytes as f64 / documents as f64,
        peak()?
    );

    let begun = Instant::now();
    let file = File::open(&path)?;
    let len = file.metadata()?.len();
    let index = Index::open(Box::new(Opened(file, len)), &[key])?;
    println!(
        "opened: {:.2} s, {} bytes in memory, {:.0} a document",
        begun.elapsed().as_secs_f64(),
        index.resident(),
        index.resident() as f64 / documents as f64
    );

    // Words as frequent as those registered, in an order that is not.
    let strange: String = (0..500).map(|n| text(u64::MAX - n, 2048)).collect();
    let copied: String = (0..500).map(|n| text(n * (documents / 500).max(1), 2048)).collect();
    let long = strange.repeat(10);
    let answers = [("that reproduces nothing", &strange), ("of 10 MB", &long), ("that reproduces all", &copied)];
    for (what, answer) in answers {
        let mut best = f64::MAX;
        let mut words = 0;
        for _ in 0..20 {
            let begun = Instant::now();
            words = compare(answer, &index)?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        println!(
            "compared {what}: {:.2} us for a KB, {words} words reported",
            best * 1e6 / (answer.len() as f64 / 1024.0)
        );
    }
    fs::remove_file(&path)?;
    Ok(())
}

fn compare(text: &str, index: &Index) -> io::Result<u64> {
    let (mut trail, mut reported, mut failed) = (Trail::new(index), 0, None);
    Words::default().read(text.as_bytes(), true, |word| match trail.push(word, index) {
        Ok(Some(_)) => reported += 1,
        Ok(None) => {}
        Err(e) => failed = Some(e),
    });
    failed.map_or(Ok(reported), Err)
}

/// Words of some 20,000, the frequent ones more often, in an order of the text's own.
fn text(number: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = mix(number.wrapping_add(0x5eed));
    while text.len() < bytes {
        state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
        // Squared twice: a twentieth of the words makes half of the text.
        let uniform = (state >> 11) as f64 / (1u64 << 53) as f64;
        let word = (uniform.powi(4) * 20_000.0) as u64;
        let letters = 2 + mix(word) % 7;
        for at in 0..letters {
            text.push(char::from(b'a' + (mix(word << 8 | at) % 26) as u8));
        }
        text.push(' ');
    }
    text
}

/// Most memory this process has had, in MB.
fn peak() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or_default() / 1024)
}

struct Opened(File, u64);

impl Source for Opened {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, at)
    }
}

struct Heaps(Vec<BufWriter<File>>);

impl Heaps {
    fn new(folder: &Path) -> io::Result<Self> {
        let heap = |part| {
            let path = folder.join(format!("index_speed.{part}"));
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
            fs::remove_file(path)?;
            Ok(BufWriter::with_capacity(16 << 10, file))
        };
        (0..PARTS).map(heap).collect::<io::Result<_>>().map(Self)
    }
}

impl Scratch for Heaps {
    fn put(&mut self, part: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut(part).ok_or(io::ErrorKind::InvalidInput)?.write_all(bytes)
    }

    fn take(&mut self, part: usize) -> io::Result<Vec<u8>> {
        let heap = self.0.get_mut(part).ok_or(io::ErrorKind::InvalidInput)?;
        heap.flush()?;
        let mut all = Vec::new();
        let mut file = heap.get_ref();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut all)?;
        file.set_len(0)?;
        Ok(all)
    }
}
