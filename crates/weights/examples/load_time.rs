//! Loads models, and says how long that takes and how much memory.
//!
//! Usage: `load_time MODEL...`

use std::{error::Error, path::Path, time::Instant};

use burn::{module::Module, tensor::Device};
use gptune_weights::ModelFolder;

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let started = Instant::now();
        let (model, _) = ModelFolder::open(Path::new(&path))?.load(None, &Device::flex())?;
        let seconds = started.elapsed().as_secs_f64();
        let gigabytes = model.num_params() as f64 * 4.0 / 1e9;
        print!("{path}: {gigabytes:.2} GB in f32 in {seconds:.2} s, {:.2} GB/s", gigabytes / seconds);
        // Linux tells the peak of a process.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        match peak.and_then(|kilobytes| kilobytes.trim().parse::<f64>().ok()) {
            Some(kilobytes) => println!(", peak memory {:.2} GB", kilobytes * 1024.0 / 1e9),
            None => println!(),
        }
    }
    Ok(())
}
