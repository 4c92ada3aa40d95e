//! What a person sees while a run goes on.

use std::{
    fmt::Display,
    io::{ErrorKind, Write, stderr, stdout},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use gptune::{Progress, Voice, Work, text::on_a_line};
use gptune_data::{Loader, Tokenizer};
use gptune_run::Event;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::interrupt;

/// Whether a line could not be written.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints lines, and draws bars where somebody is looking.
#[derive(Debug)]
pub(crate) struct Console {
    /// Standard output is reserved for one JSON document: lines go to standard error.
    json: bool,
    steps: Mutex<Steps>,
    /// Set when somebody wants a run to end.
    stop: Arc<AtomicBool>,
}

/// The bar of a training, and what it shows.
#[derive(Debug)]
struct Steps {
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
        let steps = Steps { bar: ProgressBar::hidden(), tokens: 0, seconds: 0.0, loss: 0.0, weight: 0.0 };
        Self { json, steps: Mutex::new(steps), stop: Arc::default() }
    }

    /// The flag that the first signal sets from the beginning of a run on.
    pub(crate) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Voice for Console {
    fn starting(&self) {
        interrupt::listen_for(&self.stop);
    }

    /// Prints a line above the bar.
    fn say(&self, line: &str) {
        let bar = self.steps().bar.clone();
        let written =
            bar.suspend(|| if self.json { writeln!(stderr(), "{line}") } else { writeln!(stdout(), "{line}") });
        // A reader that went away is no reason to end a run, and neither is a full disk under its output; but that is
        // said, once.
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
            && !FAILED.swap(true, Ordering::Relaxed)
        {
            note(&format!("warning: the output cannot be written ({error}); the run goes on"));
        }
    }

    fn note(&self, line: &str) {
        note(line);
    }

    fn event(&self, event: &Event) {
        match event {
            Event::Start { steps, .. } => {
                let bar = bar(*steps as u64, "steps");
                bar.tick();
                self.steps().bar = bar;
            }
            Event::Initial { train_loss, val_loss } => {
                self.say(&format!("Before training: Train loss {train_loss:.3}, Val loss {val_loss:.3}\n"));
                // What the bar says is left shall not count the time until here.
                self.steps().bar.reset_elapsed();
            }
            Event::Step { loss, tokens, seconds, step, .. } => self.steps().step(*loss, *tokens, *seconds, *step),
            Event::Eval { epoch, step, train_loss, val_loss, .. } => {
                self.say(&format!("Ep {epoch} (Step {step:06}): Train loss {train_loss:.3}, Val loss {val_loss:.3}"));
            }
            Event::Final { train_loss, val_loss, val_token_loss, val_perplexity, .. } => self.say(&format!(
                "After training: Train loss {train_loss:.3}, Val loss {val_loss:.3} ({val_token_loss:.3} a token, \
                 perplexity {val_perplexity:.2})"
            )),
            Event::Sample { text, .. } => self.say(&on_a_line(text)),
            Event::End { seconds, peak_memory_bytes, .. } => {
                self.steps().bar.finish_and_clear();
                let memory = peak_memory_bytes
                    .map(|bytes| format!(", at most {:.2} GB of memory", bytes as f64 / 1e9))
                    .unwrap_or_default();
                self.say(&format!("\nTraining took {:.2} minutes{memory}.", seconds / 60.0));
            }
        }
    }

    fn progress(&self, work: Work<'_>) -> Box<dyn Progress> {
        Box::new(Drawn(match work {
            Work::Things(length, unit) => bar(length, unit),
            Work::Bytes(name) => bytes_bar(name),
            Work::Unknown(what) => spinner(what),
        }))
    }
}

impl Steps {
    fn step(&mut self, loss: f64, tokens: usize, seconds: f64, step: usize) {
        self.tokens += tokens;
        self.seconds += seconds;
        // A running mean over about ten batches is steadier than a single loss.
        self.loss = 0.9 * self.loss + 0.1 * loss;
        self.weight = 0.9 * self.weight + 0.1;
        let speed = self.tokens as f64 / self.seconds;
        self.bar.set_message(format!("loss {:.3}, {speed:.0} tokens/s", self.loss / self.weight));
        self.bar.set_position(step as u64 + 1);
    }
}

/// A bar that is gone when what it is of is over.
struct Drawn(ProgressBar);

impl Progress for Drawn {
    fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    fn set(&self, done: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.0.set_length(of);
        }
        self.0.set_position(done);
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What commands say that print a result: notes and bars on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Voice for Plain {
    fn note(&self, line: &str) {
        note(line);
    }

    fn progress(&self, work: Work<'_>) -> Box<dyn Progress> {
        Console::new(false).progress(work)
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
    let written = write!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| {
        // Who went away needs no explanation.
        let closed = error.kind() == ErrorKind::BrokenPipe;
        let error = anyhow::Error::new(error);
        if closed { error } else { error.context("cannot write to standard output") }
    })
}

/// The bar that was drawn last, which lines must not tear.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes a bar the one that lines are written above.
fn newest(bar: ProgressBar) -> ProgressBar {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}

/// Says something that is no result, on standard error, above a bar that is there.
pub(crate) fn note(line: &str) {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let say = || _ = writeln!(stderr(), "{line}");
    match bar {
        Some(bar) if !bar.is_finished() => bar.suspend(say),
        _ => say(),
    }
}

/// How this program was started.
pub(crate) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "gptune".to_owned())
}

/// Says that a text holds letters that read like a special token.
pub(crate) fn note_literal(tokenizer: &Tokenizer, text: &str, what: &str) {
    if let Some(token) = tokenizer.literal_added(text) {
        note(&format!(
            "Note: {what} contains '{}' as letters; --special-tokens takes it for the token {}",
            token.content, token.id
        ));
    }
}

/// Says on standard error how many examples of a part are longer than what is kept of them.
pub(crate) fn tell_cut(loader: &Loader<'_>, max_length: usize) {
    let cut = loader.cut();
    if cut > 0 {
        let (all, lose) = (loader.examples(), if cut == 1 { "is longer" } else { "are longer" });
        note(&format!(
            "Note: {cut} of {all} examples {lose} than {max_length} tokens, and cut there; --too-long skip leaves such out"
        ));
    }
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
    newest(spinner)
}

/// A bar on standard error, drawn only where that is a terminal.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let template = format!("{{bar:32}} {{pos}}/{{len}} {unit}  {{msg}}  {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    newest(bar)
}

/// A bar for the bytes of a file.
fn bytes_bar(name: &str) -> ProgressBar {
    let template = "{msg}  {bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style).with_message(name.to_owned());
    // The speed is that of this download, and not of what an earlier one left.
    bar.reset_eta();
    newest(bar)
}
