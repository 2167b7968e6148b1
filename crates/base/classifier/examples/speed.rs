//! Prints what an answer costs, by language and length.
//!
//! `cargo run --release -p countersign-classifier --example speed`, from anywhere.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{hint::black_box, time::Instant};

use countersign_classifier::{Classifier, Question};

fn main() {
    for (name, text) in TEXTS {
        for size in [1 << 10, 64 << 10, 10 << 20] {
            let text: String = text
                .chars()
                .cycle()
                .scan(0, |bytes, c| {
                    *bytes += c.len_utf8();
                    (*bytes <= size).then_some(c)
                })
                .collect();
            let rounds = ((4 << 20) / size).clamp(3, 2000);
            let mut took: Vec<f64> = (0..rounds)
                .map(|_| {
                    let start = Instant::now();
                    black_box(Classifier::shipped().judge(Question::Override, black_box(&text)));
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            took.sort_by(f64::total_cmp);
            let half = took.get(took.len() / 2).copied().unwrap_or_default();
            println!("{name:<8} {size:>9} bytes {half:>10.1} us  {:>6.1} us/KiB", half / (size as f64 / 1024.0));
        }
    }
}

const TEXTS: [(&str, &str); 3] = [
    (
        "english",
        "Customers may open an account at any branch; bring two documents, a passport and a bill.\nOpening hours are 9 to 17 on weekdays. ",
    ),
    ("german", "Größere Beträge müssen über die Zweigstelle überwiesen werden; öffnen Sie dafür ein Konto. "),
    ("chinese", "东京是日本的首都，也是世界上人口最多的城市之一。请携带两份证件到任何分行开户。"),
];
