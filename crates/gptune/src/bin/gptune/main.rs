//! The `gptune` program: arguments, and what a person sees. The work is done in the libraries.

mod allocator;
mod args;
mod commands;
mod console;
mod interrupt;
mod log;
mod resolve;
mod table;

use std::{process::ExitCode, sync::OnceLock};

use gptune::device;

use crate::args::{Cli, Command};

/// What to do about too little memory.
static MEMORY_LEVERS: OnceLock<&str> = OnceLock::new();

/// What to do about too little memory, whether it is known yet what the program is to do or not.
fn memory_levers() -> &'static str {
    MEMORY_LEVERS.get().copied().unwrap_or("end other programs")
}

fn main() -> ExitCode {
    device::silence_drivers();
    // A panic is a bug of ours or a fault of the device: one sentence, and no backtrace by default.
    std::panic::set_hook(Box::new(|fault| {
        let message = fault.payload_as_str().unwrap_or("no message");
        let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        console::note(&format!("error: {}", fault_sentence(message, &place)));
    }));
    // On one of Rayon's threads, parallel loops start without waking another one first.
    std::panic::catch_unwind(|| rayon::scope(|_| run())).unwrap_or(ExitCode::FAILURE)
}

/// What to say about a panic. Back ends have no other way to tell that a device's memory is full.
fn fault_sentence(message: &str, place: &str) -> String {
    let lower = message.to_lowercase();
    let out_of_memory = ["out of memory", "outofmemory", "out_of_memory", "not enough memory", "memory allocation"];
    if out_of_memory.iter().any(|words| lower.contains(words)) {
        let first = message.lines().next().unwrap_or_default();
        return format!("the device ran out of memory ({first}); {}", memory_levers());
    }
    format!("internal fault{place}: {message}; please report it with the command you ran")
}

fn run() -> ExitCode {
    let Cli { command, log, log_file } = Cli::read();
    if let Err(error) = log::begin(log, log_file.as_deref()) {
        console::note(&format!("error: {}", sentence(&error)));
        return ExitCode::FAILURE;
    }
    MEMORY_LEVERS.get_or_init(|| command.memory_levers());
    let result = match command {
        Command::Train(args) => commands::train::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Pretrain(args) => commands::pretrain::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Ask(args) => commands::ask::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Respond(args) => commands::respond::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Runs(args) => commands::runs::run(&args),
        Command::Compare(args) => commands::runs::compare(&args),
        Command::Tokenize(args) => commands::tokens::tokenize(&args),
        Command::Detokenize(args) => commands::tokens::detokenize(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Fetch(args) => commands::fetch::run(&args),
        Command::Import(args) => commands::convert::import(&args),
        Command::Export(args) => commands::convert::export(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
    };
    match result {
        Ok(()) => interrupt::status().map_or(ExitCode::SUCCESS, ExitCode::from),
        // Whoever reads our output has seen enough: `gptune … | head`.
        Err(error) if console::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console::note(&format!("error: {}", sentence(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line, outermost first. The libraries' messages contain their cause
/// already, and nothing is said twice.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said {
        said if said.contains(&cause) => said,
        said if said.is_empty() => cause,
        said => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Cli, fault_sentence};

    #[test]
    fn full_memory_names_the_levers() {
        super::MEMORY_LEVERS.get_or_init(|| Cli::parse_from(["gptune", "train"]).command.memory_levers());
        for message in [
            "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried to allocate 20.00 MiB\\n\")",
            "CUDA_ERROR_OUT_OF_MEMORY",
            "wgpu error: Out of Memory",
        ] {
            let sentence = fault_sentence(message, " at x.rs:1");
            for lever in ["--batch-size", "--grad-accum", "--max-length", "smaller model"] {
                assert!(sentence.contains(lever), "{sentence}");
            }
        }
        assert!(fault_sentence("index 3", " at x.rs:1").contains("internal fault at x.rs:1: index 3"));
    }
}
