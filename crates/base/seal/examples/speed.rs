//! What a seal, an opening, a keyed hash and a signature cost: `cargo run --release -p countersign-seal --example speed`.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::{hint::black_box, time::Instant};

use countersign_core::Secret;
use countersign_seal::{KeyRing, SealError, random};

fn main() -> Result<(), SealError> {
    let ring = KeyRing::from_bytes(KeyRing::generate()?)?;
    let (small, large) = (vec![b'x'; 1 << 10], vec![b'x'; 16 << 10]);
    let sealed = ring.seal("tenant", "audit", b"req_1", &[&small])?;
    let hasher = ring.hasher("api-key")?;
    let signer = ring.signer("log")?;
    let key = Secret::new(vec![b'k'; 53]);
    measure("seal 1 KiB", 200_000, || {
        black_box(ring.seal("tenant", "audit", b"req_1", &[&small])).ok();
    });
    measure("seal 16 KiB", 50_000, || {
        black_box(ring.seal("tenant", "audit", b"req_1", &[&large])).ok();
    });
    measure("open 1 KiB", 200_000, || {
        black_box(ring.open("tenant", "audit", b"req_1", &sealed)).ok();
    });
    measure("12 random bytes", 200_000, || {
        black_box(random::bytes::<12>()).ok();
    });
    measure("hash a key", 200_000, || {
        black_box(hasher.hash(key.expose()));
    });
    measure("sign", 5_000, || {
        black_box(signer.sign(b"checkpoint")).ok();
    });
    Ok(())
}

fn measure(name: &str, times: u32, mut step: impl FnMut()) {
    for _ in 0..times / 10 {
        step();
    }
    let start = Instant::now();
    for _ in 0..times {
        step();
    }
    println!("{name}: {:.3} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(times));
}
