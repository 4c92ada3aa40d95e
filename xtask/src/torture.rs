//! Runs that are killed at random moments and gone on with, compared with one that is not.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// A training that is tortured.
struct Training {
    what: &'static str,
    /// The command and the flags that make it what it is.
    flags: &'static str,
    /// The back end that it needs besides flex.
    needs: Option<&'static str>,
}

const fn training(what: &'static str, flags: &'static str) -> Training {
    Training { what, flags, needs: None }
}

/// What is trained, each long enough to be killed in the middle of something.
const TRAININGS: [Training; 7] = [
    training(
        "dropout, accumulation, cosine with warm-up, evaluations, samples",
        "train --dropout 0.1 --batch-size 4 --grad-accum 2 --eval-every 3 --sample-tokens 12 --checkpoint-every 4 \
         --schedule cosine --warmup 0.1 --order torch",
    ),
    training("order length", "train --order length --eval-every 4 --checkpoint-every 3"),
    training("order shuffle, a state after every step", "train --order shuffle --checkpoint-every 1 --eval-every 5"),
    training("clipping", "train --max-grad-norm 0.05 --sample-tokens 12 --checkpoint-every 7"),
    training(
        "the best model, patience, frozen embeddings, groups",
        "train --keep-best --patience 2 --freeze wte,wpe --weight-decay-on matrices --schedule wsd --lr 0.02 \
         --eval-every 3 --checkpoint-every 2 --tensorboard",
    ),
    training(
        "from scratch",
        "pretrain --text text.txt --compact-vocabulary --n-layer 2 --n-head 2 --n-embd 32 --n-positions 64 --block-size 32 \
         --steps 400 --checkpoint-every 60",
    ),
    Training {
        what: "bf16 on LibTorch",
        flags: "train --device tch --precision bf16 --checkpoint-every 5 --eval-every 4",
        needs: Some("tch"),
    },
];

/// For all of the fine-tunings: a few seconds on nano.
const COMMON: &str = "--model nano --data sample --train-limit 96 --epochs 3 --eval-batches 2 \
                      --respond --response-tokens 6 --preview 3 --split 60/2/38";

/// What tells of times and memory; everything else has to be equal, byte by byte, and no other file may be left.
const TIMED: [&str; 3] = ["metrics.jsonl", "metrics.csv", "report.html"];

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
    let documents: Vec<String> = (0..4000).map(|number| format!("{number} and {}.", number % 97)).collect();
    fs::write(folder.join("text.txt"), documents.join("\n\n"))?;
    let devices = Command::new(gptune).args(["devices", "--json"]).output().context("cannot start gptune devices")?;
    let devices = String::from_utf8_lossy(&devices.stdout).into_owned();
    let is_there = |back_end: &str| devices.contains(&format!("\"name\":\"{back_end}\""));
    let trainings: Vec<&Training> = TRAININGS.iter().filter(|one| one.needs.is_none_or(is_there)).collect();
    let mut references: Vec<(PathBuf, Duration)> = Vec::new();
    for (number, Training { what, flags, .. }) in trainings.iter().enumerate() {
        let path = folder.join(format!("reference-{number}"));
        let started = Instant::now();
        ensure!(start(gptune, flags, &path)?.wait()?.success(), "the run with {what} failed");
        references.push((path, started.elapsed()));
    }
    // Few kills are not always of the same trainings.
    let mut round = usize::try_from(random.below(trainings.len() as u64)).unwrap_or(0);
    while done < kills {
        let number = round % trainings.len();
        let Training { what, flags, .. } = trainings[number];
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
                None => {
                    let command = flags.split_whitespace().next().unwrap_or("train");
                    child = spawn(gptune, &folder, &[command, "--resume", &path.display().to_string()])?;
                }
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
    let name = out.display().to_string();
    let common = if flags.starts_with("train ") { COMMON } else { "" };
    let arguments = flags.split_whitespace().chain(common.split_whitespace()).chain(["--out", &name]);
    spawn(gptune, out.parent().unwrap_or(out), &arguments.collect::<Vec<_>>())
}

fn spawn(gptune: &Path, folder: &Path, arguments: &[&str]) -> Result<std::process::Child> {
    let mut command = Command::new(gptune);
    command.current_dir(folder).args(arguments).stdout(Stdio::null());
    command.spawn().with_context(|| format!("cannot start {command:?}"))
}

/// The files of a run, by their paths in it. How many TensorBoard has depends on how often it was gone on with.
fn files(run: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(run, &path, found)?;
        } else if !path.starts_with(run.join("tensorboard")) {
            found.insert(path.strip_prefix(run)?.to_owned());
        }
    }
    Ok(())
}

fn compare(wanted: &Path, found: &Path) -> Result<()> {
    let (mut names, mut there) = (BTreeSet::new(), BTreeSet::new());
    files(wanted, wanted, &mut names)?;
    files(found, found, &mut there)?;
    ensure!(names == there, "there are other files: {:?}", names.symmetric_difference(&there).collect::<Vec<_>>());
    for name in names.iter().filter(|name| TIMED.iter().all(|timed| name.as_path() != Path::new(timed))) {
        ensure!(fs::read(wanted.join(name))? == fs::read(found.join(name))?, "{} is not the same", name.display());
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

/// Builds the program with these back ends besides flex, and tortures it.
pub(crate) fn build_and_run(kills: usize, back_ends: &[String]) -> Result<()> {
    run(kills, &cargo::build_with(back_ends)?)
}
