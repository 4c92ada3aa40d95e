//! The table of back ends in `docs/src/gpu.md`.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{bench, bench::median, cargo};

/// A model that even a software GPU trains, with GPT-2's vocabulary.
const TINY: [&str; 8] = ["--n-layer", "3", "--n-head", "4", "--n-embd", "48", "--n-positions", "256"];
/// Steps of a tiny run; fewer on wgpu, where a driver that compiles on the processor takes minutes for
/// every new shape.
const STEPS: usize = 232;
const STEPS_WGPU: usize = 1;

/// Measures flex and `others` on this machine and appends a table.
pub(crate) fn run(others: &[String]) -> Result<()> {
    cargo::run(&mut cargo::workspace("build", others)?)?;
    let gptune = cargo::built_gptune()?;
    let work = cargo::root().join("target/back-ends");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let table = Table { gptune, work };
    table.start(&[&["init", "tiny"], &TINY[..]].concat())?;
    table.start(&["init", "124M", "--size", "124M"])?;
    let mut text = format!(
        "\n{}, commit {}; {}.\n\n\
         | back end | device | self-check | tiny: steps | largest difference of a loss from flex | s a step | peak memory | 124M: s a step | peak memory |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        bench::output("date", &["-u", "+%Y-%m-%d"])?,
        bench::output("git", &["rev-parse", "--short", "HEAD"])?,
        bench::machine(),
    );
    let flex = table.tiny("flex", STEPS)?;
    for name in [&["flex".to_owned()], others].concat() {
        let row = table.row(&name, &flex)?;
        print!("{row}");
        text += &row;
    }
    let path = cargo::root().join("docs/src/gpu.md");
    let mut file = OpenOptions::new().append(true).open(&path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("appended to {}", path.display());
    Ok(())
}

struct Table {
    gptune: PathBuf,
    work: PathBuf,
}

/// Events of a run.
struct Run {
    losses: Vec<f64>,
    seconds: Vec<f64>,
    peak_memory: f64,
}

impl Table {
    fn row(&self, name: &str, flex: &Run) -> Result<String> {
        let report: Value = serde_json::from_slice(&self.start(&["doctor", "--device", name, "--json"])?)?;
        let steps = if name == "wgpu" { STEPS_WGPU } else { STEPS };
        let run = self.tiny(name, steps)?;
        let difference = run.losses.iter().zip(&flex.losses).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        let mut row = format!(
            "| {name} | {} | {} in {:.1} s | {steps} | {difference:.0e} | {:.2} | {:.2} GB |",
            report["description"].as_str().unwrap_or_default(),
            if report["passed"] == true { "passed" } else { "FAILED" },
            report["seconds"].as_f64().unwrap_or(f64::NAN),
            median(&run.seconds),
            run.peak_memory / 1e9,
        );
        // Out of reach for a software GPU: its buffers are too small, and a step would take minutes.
        if name == "wgpu" {
            row += " – | – |\n";
            return Ok(row);
        }
        let arguments = ["bench", "train", "--model", "124M", "--data", "sample", "--steps", "4", "--warmup", "2"];
        let result = self.start(&[&arguments[..], &["--device", name, "--json"]].concat())?;
        let result: Value = serde_json::from_slice(&result)?;
        let samples = result["samples"].as_array().context("no samples")?;
        let seconds: Vec<f64> = samples.iter().filter_map(|sample| sample["seconds"].as_f64()).collect();
        let peak = result["peak_memory_bytes"].as_f64().unwrap_or(f64::NAN);
        writeln!(row, " {:.2} | {:.2} GB |", median(&seconds), peak / 1e9)?;
        Ok(row)
    }

    /// A run of the tiny model on the sample data.
    fn tiny(&self, name: &str, steps: usize) -> Result<Run> {
        let (out, steps) = (format!("run-{name}"), steps.to_string());
        let _ = fs::remove_dir_all(self.work.join(&out));
        let fixed = ["train", "--model", "tiny", "--data", "sample", "--no-eval", "--sample-tokens", "0"];
        self.start(&[&fixed[..], &["--device", name, "--max-steps", &steps, "--out", &out]].concat())?;
        read(&self.work.join(out).join("metrics.jsonl"))
    }

    fn start(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        println!("gptune {}", arguments.join(" "));
        let output = Command::new(&self.gptune).args(arguments).current_dir(&self.work).output()?;
        if !output.status.success() {
            bail!("gptune {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    }
}

fn read(path: &Path) -> Result<Run> {
    let mut run = Run { losses: Vec::new(), seconds: Vec::new(), peak_memory: f64::NAN };
    for line in fs::read_to_string(path)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let number = |key: &str| event[key].as_f64().unwrap_or(f64::NAN);
        match event["event"].as_str() {
            Some("step") => {
                run.losses.push(number("loss"));
                run.seconds.push(number("seconds"));
            }
            Some("end") => run.peak_memory = number("peak_memory_bytes"),
            _ => (),
        }
    }
    Ok(run)
}
