//! The `gptune` program: arguments, devices, progress. The work is done in the libraries.

mod args;
mod assets;
mod commands;
mod console;
mod device;
mod model_source;
mod resolve;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    // A panic is a bug of ours or a fault of the device: one sentence, and no backtrace by default.
    std::panic::set_hook(Box::new(|fault| {
        let message = fault.payload_as_str().unwrap_or("no message");
        let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        eprintln!("error: internal fault{place}: {message}; please report it with the command you ran");
    }));
    // On one of Rayon's threads, parallel loops start without waking another one first.
    std::panic::catch_unwind(|| rayon::scope(|_| run())).unwrap_or(ExitCode::FAILURE)
}

fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Train(args) => commands::train::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Pretrain(args) => commands::pretrain::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Respond(args) => commands::respond::run(&args),
        Command::Tokenize(args) => commands::tokens::tokenize(&args),
        Command::Detokenize(args) => commands::tokens::detokenize(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Import(args) => commands::convert::import(&args),
        Command::Export(args) => commands::convert::export(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough: `gptune … | head`.
        Err(error) if console::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
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
