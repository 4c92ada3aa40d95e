//! Measurements of whole runs, appended to `docs/src/benchmarks.md`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;

/// What is measured: a name, the model's sizes as flags of `gptune init`, and flags of
/// `gptune train`.
struct Case {
    name: String,
    sizes: Vec<&'static str>,
    flags: Vec<String>,
}

/// Measures the tiny run (48 wide, 2 epochs with 47 evaluations) and `steps` steps at 124M, both on
/// random weights, and appends a row for each.
pub(crate) fn run(steps: usize, data: Option<&Path>) -> Result<()> {
    let gptune = cargo::build_gptune("flex")?;
    let work = cargo::root().join("target/bench");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let data = match data {
        Some(path) => path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?,
        None => cargo::root().join("assets/sample-data.json"),
    };
    // The first step pays for memory that the later ones have.
    let short = ["--no-eval", "--sample-tokens", "0", "--max-steps"].map(str::to_owned);
    let cases = [
        Case {
            name: "3 blocks, 48 wide: 2 epochs, 47 evaluations".to_owned(),
            sizes: vec!["--n-layer", "3", "--n-head", "4", "--n-embd", "48"],
            flags: Vec::new(),
        },
        Case {
            name: format!("124M: {steps} steps"),
            sizes: vec!["--size", "124M"],
            flags: short.into_iter().chain([(steps + 1).to_string()]).collect(),
        },
    ];
    let mut rows = String::new();
    for (index, case) in cases.iter().enumerate() {
        println!("{}", case.name);
        let (model, out) = (work.join(format!("model-{index}")), work.join(format!("run-{index}")));
        cargo::run(Command::new(&gptune).arg("init").arg(&model).args(&case.sizes).stdout(Stdio::null()))?;
        let mut train = Command::new(&gptune);
        train.arg("train").arg("--model").arg(&model).arg("--data").arg(&data).arg("--out").arg(&out);
        cargo::run(train.args(&case.flags).stdout(Stdio::null()))?;
        let row = row(&case.name, &out)?;
        print!("{row}");
        rows += &row;
    }
    append(&rows)
}

/// One row of the table, from a run's events.
fn row(name: &str, run: &Path) -> Result<String> {
    let path = run.join("metrics.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let events = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let steps: Vec<&Value> = events.iter().filter(|event| event["event"] == "step").skip(1).collect();
    let mut seconds: Vec<f64> = steps.iter().filter_map(|step| step["seconds"].as_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    let median = *seconds.get(seconds.len() / 2).context("the run took no second step")?;
    let tokens: f64 = steps.iter().filter_map(|step| step["tokens"].as_f64()).sum();
    let speed = tokens / seconds.iter().sum::<f64>();
    let end = events.last().context("the run has no events")?;
    let memory =
        end["peak_memory_bytes"].as_f64().map_or("unknown".to_owned(), |bytes| format!("{:.2} GB", bytes / 1e9));
    let total = end["seconds"].as_f64().unwrap_or(f64::NAN);
    Ok(format!(
        "| {} | {} | {} | {name} | {median:.3} s | {speed:.0} | {total:.0} s | {memory} |\n",
        output("date", &["-u", "+%Y-%m-%d"])?,
        output("git", &["rev-parse", "--short", "HEAD"])?,
        machine(),
    ))
}

fn append(rows: &str) -> Result<()> {
    let path = cargo::root().join("docs/src/benchmarks.md");
    let mut file =
        OpenOptions::new().append(true).open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    file.write_all(rows.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("appended to {}", path.display());
    Ok(())
}

/// The processor and how many of its threads there are.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let threads = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {threads} threads", name.unwrap_or("unknown processor").trim())
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(cargo::root()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
