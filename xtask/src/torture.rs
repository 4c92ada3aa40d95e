//! Runs that are killed at random moments and gone on with, compared with one that is not.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// What is trained, each long enough to be killed in the middle of something.
const RUNS: [(&str, &str); 4] = [
    (
        "dropout, accumulation, cosine with warm-up, evaluations, samples",
        "--dropout 0.1 --batch-size 4 --grad-accum 2 --eval-every 3 --sample-tokens 12 --checkpoint-every 4 \
         --schedule cosine --warmup 0.1",
    ),
    ("order length", "--order length --eval-every 4 --checkpoint-every 3"),
    ("order shuffle, a state after every step", "--order shuffle --checkpoint-every 1 --eval-every 5"),
    ("clipping", "--max-grad-norm 0.05 --sample-tokens 12 --checkpoint-every 7"),
];

/// For all of them: a few seconds on nano.
const COMMON: &str = "train --model nano --data sample --train-limit 96 --epochs 3 --eval-batches 2 \
                      --respond --response-tokens 6 --preview 3 --split 60/2/38";

/// What has to be equal, byte by byte; `metrics.jsonl` but for times and memory.
const FILES: [&str; 3] =
    ["model/model.safetensors", "instruction-data-with-response.json", "instruction-data-before-training.json"];

/// Kills runs this many times in all, and goes on with them.
///
/// # Errors
///
/// If a run that was gone on with leaves something else than the run that was not killed.
pub(crate) fn run(kills: usize, gptune: &Path) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("gptune-torture-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| u64::from(time.subsec_nanos()));
    println!("seed {seed}, in {}", folder.display());
    let mut random = Random(seed);
    let mut done = 0;
    let mut references: Vec<(PathBuf, Duration)> = Vec::new();
    for (number, (what, flags)) in RUNS.iter().enumerate() {
        let path = folder.join(format!("reference-{number}"));
        let started = Instant::now();
        ensure!(start(gptune, flags, &path)?.wait()?.success(), "the run with {what} failed");
        references.push((path, started.elapsed()));
    }
    let mut round = 0;
    while done < kills {
        let number = round % RUNS.len();
        let (what, flags) = RUNS[number];
        let (reference, duration) = &references[number];
        let path = folder.join(format!("killed-{round}"));
        let mut child = start(gptune, flags, &path)?;
        loop {
            // Mostly within the run, and now and then not at all.
            let after = duration.mul_f64(random.below(1000) as f64 / 900.0);
            let began = Instant::now();
            let ended = loop {
                if let Some(status) = child.try_wait()? {
                    break Some(status);
                }
                if done < kills && began.elapsed() >= after {
                    // SIGKILL: nothing of the program hears of it.
                    child.kill()?;
                    child.wait()?;
                    done += 1;
                    break None;
                }
                std::thread::sleep(Duration::from_millis(1));
            };
            match ended {
                Some(status) if status.success() => break,
                Some(status) => bail!("{what}: gone on with, the run in {} ended with {status}", path.display()),
                None if !path.join("metrics.jsonl").exists() || !path.join("config.toml").exists() => {
                    // Killed before there was a run.
                    _ = fs::remove_dir_all(&path);
                    child = start(gptune, flags, &path)?;
                }
                None => child = spawn(gptune, &["train", "--resume", &path.display().to_string()])?,
            }
        }
        compare(reference, &path).with_context(|| format!("{what}: {} differs", path.display()))?;
        println!("{what}: equal after {done} kills in all");
        fs::remove_dir_all(&path)?;
        round += 1;
    }
    fs::remove_dir_all(&folder)?;
    println!("{done} of {done} kills left runs that ended as if nothing had happened");
    Ok(())
}

fn start(gptune: &Path, flags: &str, out: &Path) -> Result<std::process::Child> {
    let out = out.display().to_string();
    let arguments = COMMON.split_whitespace().chain(flags.split_whitespace()).chain(["--out", &out]);
    spawn(gptune, &arguments.collect::<Vec<_>>())
}

fn spawn(gptune: &Path, arguments: &[&str]) -> Result<std::process::Child> {
    let mut command = Command::new(gptune);
    command.args(arguments).stdout(Stdio::null());
    command.spawn().with_context(|| format!("cannot start {command:?}"))
}

fn compare(wanted: &Path, found: &Path) -> Result<()> {
    for name in FILES {
        let read = |folder: &Path| fs::read(folder.join(name)).ok();
        ensure!(read(wanted) == read(found), "{name} is not the same");
    }
    let (wanted, found) = (metrics(wanted)?, metrics(found)?);
    for (line, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
        ensure!(wanted == found, "metrics.jsonl, line {}: {found}, and not {wanted}", line + 1);
    }
    ensure!(wanted.len() == found.len(), "metrics.jsonl has {} lines, and not {}", found.len(), wanted.len());
    Ok(())
}

/// The lines of `metrics.jsonl` without what depends on the machine's mood.
fn metrics(run: &Path) -> Result<Vec<serde_json::Value>> {
    let text = fs::read_to_string(run.join("metrics.jsonl"))?;
    let line = |line: &str| {
        let mut event: serde_json::Value = serde_json::from_str(line)?;
        if let Some(event) = event.as_object_mut() {
            event.remove("seconds");
            event.remove("peak_memory_bytes");
        }
        Ok(event)
    };
    text.lines().map(line).collect()
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Builds the program, and tortures it.
pub(crate) fn build_and_run(kills: usize) -> Result<()> {
    run(kills, &cargo::build_gptune("flex")?)
}
