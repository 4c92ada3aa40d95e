//! What a person sees while a run goes on.

use std::{
    fmt::Display,
    io::{ErrorKind, Write, stderr, stdout},
    time::Duration,
};

use anyhow::Result;
use gptune_train::Event;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Prints lines, and draws a bar where somebody is looking.
#[derive(Debug)]
pub(crate) struct Console {
    /// Standard output is reserved for one JSON document: lines go to standard error.
    json: bool,
    bar: ProgressBar,
    /// Tokens and seconds of the steps so far, for the speed.
    tokens: usize,
    seconds: f64,
    /// Running sum of losses, and of the weights in it.
    loss: f64,
    weight: f64,
}

impl Console {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, bar: ProgressBar::hidden(), tokens: 0, seconds: 0.0, loss: 0.0, weight: 0.0 }
    }

    /// Prints a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // A reader that went away is no reason to end a run.
            let _ = if self.json { writeln!(stderr(), "{line}") } else { writeln!(stdout(), "{line}") };
        });
    }

    /// Tells an event.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Start { steps, .. } => {
                self.bar = bar(*steps as u64, "steps");
                self.bar.tick();
            }
            Event::Initial { train_loss, val_loss } => {
                self.say(&format!("Before training: Train loss {train_loss:.3}, Val loss {val_loss:.3}\n"));
                // What the bar says is left shall not count the time until here.
                self.bar.reset_elapsed();
            }
            Event::Step { loss, tokens, seconds, step, .. } => {
                self.tokens += tokens;
                self.seconds += seconds;
                // A running mean over about ten batches is steadier than a single loss.
                self.loss = 0.9 * self.loss + 0.1 * loss;
                self.weight = 0.9 * self.weight + 0.1;
                let speed = self.tokens as f64 / self.seconds;
                self.bar.set_message(format!("loss {:.3}, {speed:.0} tokens/s", self.loss / self.weight));
                self.bar.set_position(*step as u64 + 1);
            }
            Event::Eval { epoch, step, train_loss, val_loss, .. } => {
                self.say(&format!("Ep {epoch} (Step {step:06}): Train loss {train_loss:.3}, Val loss {val_loss:.3}"));
            }
            Event::Sample { text, .. } => self.say(&text.replace('\n', " ")),
            Event::End { seconds, peak_memory_bytes } => {
                self.bar.finish_and_clear();
                let memory = peak_memory_bytes
                    .map(|bytes| format!(", at most {:.2} GB of memory", bytes as f64 / 1e9))
                    .unwrap_or_default();
                self.say(&format!("\nTraining took {:.2} minutes{memory}.", seconds / 60.0));
            }
        }
    }
}

/// Prints a line of a command's result.
///
/// # Errors
///
/// If standard output cannot be written to; see [`is_closed_pipe`].
pub(crate) fn print_line(text: impl Display) -> Result<()> {
    print(format_args!("{text}\n"))
}

/// The same without ending the line.
///
/// # Errors
///
/// As [`print_line`].
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut out = stdout().lock();
    write!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Says something that is no result, on standard error.
pub(crate) fn note(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// Whether an error is only that nobody reads our output any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Says what goes on, and for how long, where a bar would be drawn: for work whose length is not known.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(what.to_owned());
    let spinner = spinner.with_finish(ProgressFinish::AndClear);
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// A bar on standard error, drawn only where that is a terminal.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let template = format!("{{bar:32}} {{pos}}/{{len}} {unit}  {{msg}}  {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
