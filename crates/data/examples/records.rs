//! How fast a file, a folder or a pattern is read: `cargo run --release --example records -- PLACE`.

use std::time::Instant;

use gptune_data::Records;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Something to read, where nothing is named.
    let line = "{\"instruction\": \"Say what it is.\", \"input\": \"a record\", \"output\": \"It is a record.\"}\n";
    let mut records = match std::env::args().nth(1) {
        Some(place) => Records::open(&place)?,
        None => Records::of_bytes("records.jsonl", line.repeat(100_000).into_bytes().into()),
    };
    let start = Instant::now();
    let (mut count, mut bad) = (0, 0);
    while let Some(chunk) = records.next_chunk()? {
        count += chunk.len();
        bad += chunk.iter().filter(|record| record.entry.is_err()).count();
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = records.bytes_total() as f64 / 1e6 / seconds;
    println!("{count} records, {bad} of them bad, in {seconds:.3} s: {rate:.0} MB/s");
    Ok(())
}
