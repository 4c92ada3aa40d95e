//! Diagnostics: what the libraries say of their decisions, on standard error and in a file.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{args::LogLevel, console};

/// Has diagnostics written from these levels on, where they are asked for.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn begin(level: Option<LogLevel>, file: Option<&Path>) -> Result<()> {
    if level.is_none() && file.is_none() {
        return Ok(());
    }
    let level = level.map(LevelFilter::from);
    let shown = level.map(|level| {
        let writer = fmt::layer().with_writer(AboveTheBar).with_ansi(false).without_time();
        writer.with_filter(of_ours(level))
    });
    let written = match file {
        None => None,
        Some(path) => {
            let is_log = |text: String| text.is_empty() || text.starts_with("{\"timestamp\"");
            if path.is_file() && std::fs::read_to_string(path).is_ok_and(|text| !is_log(text)) {
                bail!("{} is there, and no log; give another --log-file", path.display());
            }
            let file = File::options().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot write {}", path.display()))?;
            let level = of_ours(level.unwrap_or(LevelFilter::DEBUG));
            Some(fmt::layer().json().with_current_span(false).with_writer(file).with_filter(level))
        }
    };
    tracing_subscriber::registry().with(shown).with(written).init();
    Ok(())
}

/// What this project's crates say, and no other.
fn of_ours(level: LevelFilter) -> Targets {
    Targets::new().with_target("gptune", level)
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Writes lines to standard error, above a progress bar that is there.
struct AboveTheBar;

impl<'a> MakeWriter<'a> for AboveTheBar {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// A line that is written as a whole.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        console::note(String::from_utf8_lossy(&self.0).trim_end());
    }
}
