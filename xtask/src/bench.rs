//! Measurements, appended to `docs/src/benchmarks.md`.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// What one side of a comparison is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Gptune,
    /// gptune on Burn's own operations, with padding.
    PlainBurn,
    /// The chapter's method in PyTorch.
    Book,
    /// `GPT2LMHeadModel`.
    Transformers,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Gptune => "gptune",
            Self::PlainBurn => "plain Burn",
            Self::Book => "the book's method, PyTorch",
            Self::Transformers => "transformers, SDPA, fused AdamW",
        }
    }
}

/// What is measured, on which sides.
struct Case {
    task: &'static str,
    batch_size: usize,
    sides: Vec<Side>,
}

/// The figures of one side.
#[derive(Default)]
struct Figures {
    /// Tokens per second of every measurement.
    speeds: Vec<f64>,
    seconds: f64,
    product_seconds: f64,
    product_operations: f64,
    peak_memory: f64,
}

/// Rounds of A B A B, and measurements of each side in a round.
const ROUNDS: usize = 2;
const SAMPLES: usize = 4;
/// Measurements that each process takes first and leaves out.
const WARMUP: usize = 2;

/// Measures training, evaluation and generation at 124M on random weights, the sides by turns, and
/// appends a table. `python` is a virtual environment with torch and transformers.
pub(crate) fn run(data: Option<&Path>, python: Option<&Path>) -> Result<()> {
    let gptune = cargo::build_gptune("flex")?;
    let work = cargo::root().join("target/bench");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let data = match data {
        Some(path) => path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?,
        None => cargo::root().join("crates/gptune/assets/sample-data.json"),
    };
    let python = python.map(|folder| {
        let program = folder.join("bin/python");
        if program.exists() { Ok(program) } else { bail!("no Python in {}", program.display()) }
    });
    let bench = Bench { gptune, python: python.transpose()?, model: work.join("model"), data, work };
    bench.prepare()?;
    let mut sides = vec![Side::Gptune, Side::PlainBurn];
    if bench.python.is_some() {
        sides.extend([Side::Book, Side::Transformers]);
    }
    let mut cases = vec![
        Case { task: "train", batch_size: 8, sides: sides.clone() },
        Case { task: "evaluate", batch_size: 8, sides: sides.clone() },
    ];
    for batch_size in [1, 8, 32] {
        let sides = sides.iter().copied().filter(|side| *side != Side::Book).collect();
        cases.push(Case { task: "generate", batch_size, sides });
    }
    let mut text = format!(
        "\n## {}, commit {}\n\n{}; medians of {} measurements, {ROUNDS} rounds by turns.\n\n",
        output("date", &["-u", "+%Y-%m-%d %H:%M"])?,
        output("git", &["rev-parse", "--short", "HEAD"])?,
        machine(),
        ROUNDS * SAMPLES
    );
    text += "| | side | tokens/s | gptune is faster by | outside products | products | peak memory |\n|---|---|---|---|---|---|---|\n";
    for case in &cases {
        text += &bench.compare(case)?;
    }
    text += &bench.products()?;
    append(&text)
}

struct Bench {
    gptune: PathBuf,
    python: Option<PathBuf>,
    model: PathBuf,
    data: PathBuf,
    work: PathBuf,
}

impl Bench {
    /// Makes the model, untied as fine-tuning has it, and the batches and prompts for Python.
    fn prepare(&self) -> Result<()> {
        let out = |command: &mut Command| -> Result<Vec<u8>> {
            let output = command.stderr(Stdio::inherit()).output()?;
            if output.status.success() { Ok(output.stdout) } else { bail!("{command:?} failed") }
        };
        let init = ["init", "--size", "124M"];
        out(Command::new(&self.gptune).args(init).arg(&self.model))?;
        if self.python.is_some() {
            let mut batches = Command::new(&self.gptune);
            batches.args(["data", "batches", "--split", "train", "--limit", "60", "--json", "--data"]).arg(&self.data);
            fs::write(self.work.join("batches.json"), out(&mut batches)?)?;
        }
        Ok(())
    }

    /// One row for each side of a case.
    fn compare(&self, case: &Case) -> Result<String> {
        let mut all: Vec<Figures> = case.sides.iter().map(|_| Figures::default()).collect();
        for round in 0..ROUNDS {
            for (side, figures) in case.sides.iter().zip(&mut all) {
                println!("{}, batch {}, {}, round {}", case.task, case.batch_size, side.name(), round + 1);
                figures.add(&self.measure(case, *side)?);
            }
        }
        let ours = all[0].median();
        let mut rows = String::new();
        for (side, figures) in case.sides.iter().zip(&all) {
            let median = figures.median();
            let products = if figures.product_seconds > 0.0 {
                let outside = 100.0 * (1.0 - figures.product_seconds / figures.seconds);
                format!("{outside:.0} % | {:.0} GFLOP/s", figures.product_operations / figures.product_seconds / 1e9)
            } else {
                " | ".to_owned()
            };
            let row = format!(
                "| {}, batch {} | {} | {median:.1} | {:.2} × | {products} | {:.2} GB |\n",
                case.task,
                case.batch_size,
                side.name(),
                ours / median,
                figures.peak_memory / 1e9
            );
            print!("{row}");
            rows += &row;
        }
        Ok(rows)
    }

    /// Runs one process, which prints its measurements.
    fn measure(&self, case: &Case, side: Side) -> Result<Value> {
        let (batch_size, samples, warmup) = (case.batch_size.to_string(), SAMPLES.to_string(), WARMUP.to_string());
        let mut command = match side {
            Side::Gptune | Side::PlainBurn => {
                let mut command = Command::new(&self.gptune);
                command.args(["bench", case.task, "--json", "--batch-size", &batch_size]);
                command.args(["--steps", &samples, "--warmup", &warmup, "--device", "flex"]);
                command.arg("--model").arg(&self.model).arg("--data").arg(&self.data);
                if side == Side::PlainBurn {
                    command.arg("--plain-burn");
                }
                command
            }
            Side::Book | Side::Transformers => {
                let python = self.python.as_ref().context("no Python")?;
                let input = if case.task == "generate" {
                    self.prompts(case.batch_size)?
                } else {
                    self.work.join("batches.json")
                };
                let mut command = Command::new(python);
                command.arg(cargo::root().join("xtask/reference/pytorch.py"));
                command.args([case.task, if side == Side::Book { "book" } else { "transformers" }]);
                command.arg(&self.model).arg(input).args([&samples, &warmup]);
                command
            }
        };
        let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
        if !output.status.success() {
            bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?} printed no JSON"))
    }

    /// The prompts that gptune answers, as ids in a file.
    fn prompts(&self, count: usize) -> Result<PathBuf> {
        let mut command = Command::new(&self.gptune);
        command.args(["bench", "prompts", "--json", "--batch-size", &count.to_string()]);
        command.arg("--model").arg(&self.model).arg("--data").arg(&self.data);
        let path = self.work.join(format!("prompts-{count}.json"));
        fs::write(&path, command.output()?.stdout)?;
        Ok(path)
    }

    /// A table of a step's matrix products.
    fn products(&self) -> Result<String> {
        let case = Case { task: "products", batch_size: 8, sides: Vec::new() };
        let result = self.measure(&case, Side::Gptune)?;
        let mut text = "\n| product | shape | GFLOP/s |\n|---|---|---|\n".to_owned();
        for product in result["products"].as_array().context("no products")? {
            let name = product["name"].as_str().unwrap_or_default();
            let speed = product["gflops"].as_f64().unwrap_or(f64::NAN);
            writeln!(text, "| {name} | {} × {} × {} | {speed:.0} |", product["m"], product["n"], product["k"])?;
        }
        Ok(text)
    }
}

impl Figures {
    fn add(&mut self, result: &Value) {
        for sample in result["samples"].as_array().into_iter().flatten() {
            let number = |key: &str| sample[key].as_f64().unwrap_or(0.0);
            self.speeds.push(number("tokens") / number("seconds"));
            self.seconds += number("seconds");
            self.product_seconds += number("product_seconds");
            self.product_operations += number("product_operations");
        }
        self.peak_memory = self.peak_memory.max(result["peak_memory_bytes"].as_f64().unwrap_or(f64::NAN));
    }

    fn median(&self) -> f64 {
        median(&self.speeds)
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn append(text: &str) -> Result<()> {
    let path = cargo::root().join("docs/src/benchmarks.md");
    let mut file =
        OpenOptions::new().append(true).open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("appended to {}", path.display());
    Ok(())
}

/// The processor and how many of its threads there are.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let threads = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {threads} threads", name.unwrap_or("unknown processor").trim())
}

pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).current_dir(cargo::root()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
