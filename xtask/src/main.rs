//! Development tasks, started with `cargo xtask TASK`.
//!
//! This program depends on no crate of the workspace and not on Burn: it starts cargo and the
//! `gptune` binary, so it builds in seconds.

mod back_ends;
mod bench;
mod cargo;
mod ci;
mod libtorch;
mod pretrain_nano;
mod python;
mod torture;
mod world;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Development tasks of gptune.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build gptune and fine-tune; without flags, the built-in model on the built-in data
    Train {
        /// The back end to build with: flex, tch, wgpu, vulkan, metal, cuda, rocm, cpu
        #[arg(long)]
        backend: Option<String>,
        /// Flags of `gptune train`
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Run the whole test suite
    Test {
        /// Back ends to test besides flex: tch, wgpu
        #[arg(long, value_delimiter = ',')]
        back_ends: Vec<String>,
    },
    /// Find LibTorch for the tch back end, or install it, and print its folder
    Libtorch,
    /// Everything that a change has to pass: format, lints, documentation, dependencies, tests, examples, packages
    Ci,
    /// Compare and measure back ends on this machine and write the table in docs/src/gpu.md
    BackEnds {
        /// Which, besides flex
        #[arg(value_delimiter = ',', default_value = "tch,wgpu")]
        back_ends: Vec<String>,
    },
    /// Read damaged files of every format that weights come in
    Fuzz {
        /// How many of each
        #[arg(default_value_t = 300_000)]
        files: usize,
    },
    /// Kill training at random moments, go on with it, and compare with training that was not killed
    Torture {
        /// How often
        #[arg(long, default_value_t = 100)]
        kills: usize,
        /// The back ends to build with besides flex; with tch, half precision is tried too
        #[arg(long = "backend")]
        back_ends: Vec<String>,
    },
    /// Run the slice kernels under `AddressSanitizer`; needs a nightly toolchain (`rustup toolchain install nightly`)
    Sanitize,
    /// Measure training, evaluation and generation and write docs/src/benchmarks.md
    Bench {
        /// A virtual environment with torch and transformers to measure against, by turns
        #[arg(long, value_name = "VENV")]
        against_python: Option<PathBuf>,
        /// Instruction data to measure on instead of the sample data
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Write crates/gptune/assets/sample-data.json from xtask/words
    SampleData,
    /// Write the corpus that the built-in model is pretrained on
    Corpus {
        /// The text file to write
        path: PathBuf,
    },
    /// Pretrain the built-in model from scratch and write crates/gptune/assets/nano
    PretrainNano,
}

fn main() -> Result<()> {
    match Xtask::parse().task {
        Task::Train { backend, flags } => {
            let gptune = cargo::build_gptune(backend.as_deref().unwrap_or("flex"))?;
            let mut train = std::process::Command::new(gptune);
            train.arg("train").args(&flags);
            // The back end that was asked for, not the one that `auto` prefers.
            if let Some(backend) = backend.filter(|_| !flags.iter().any(|flag| flag.starts_with("--device"))) {
                train.args(["--device", &backend]);
            }
            cargo::become_process(train)
        }
        Task::Test { back_ends } => cargo::test(&back_ends),
        Task::Libtorch => {
            println!("{}", libtorch::find_or_install()?.display());
            Ok(())
        }
        Task::Ci => ci::run(),
        Task::BackEnds { back_ends } => back_ends::run(&back_ends),
        Task::Fuzz { files } => {
            let mut test = cargo::workspace("test", &[])?;
            test.args(["--test", "it", "--", "--nocapture", "never_panic"]);
            cargo::run(test.env("GPTUNE_FUZZ", files.to_string()))
        }
        Task::Torture { kills, back_ends } => torture::build_and_run(kills, &back_ends),
        Task::Sanitize => cargo::sanitize(),
        Task::Bench { against_python, data } => bench::run(data.as_deref(), against_python.as_deref()),
        Task::SampleData => {
            let path = cargo::root().join("crates/gptune/assets/sample-data.json");
            write(&path, &world::to_json(&world::sample_data()?)?)
        }
        Task::Corpus { path } => write(&path, &world::corpus()?),
        Task::PretrainNano => pretrain_nano::run(),
    }
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use crate::cargo::root;

    /// Targets of all relative links in a Markdown file.
    fn links(file: &Path) -> Vec<String> {
        let text = fs::read_to_string(file).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
    }

    #[test]
    fn every_link_in_the_documentation_leads_somewhere() {
        let pages = fs::read_dir(root().join("docs/src")).unwrap().map(|entry| entry.unwrap().path());
        let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let mut count = 0;
        for page in pages.chain([root().join("README.md"), root().join("ARCHITECTURE.md")]) {
            for link in links(&page) {
                let target = page.with_file_name(link.split('#').next().unwrap());
                assert!(target.exists(), "{}: {link}", page.display());
                count += 1;
            }
        }
        assert!(count > 15, "{count}");
    }
}
