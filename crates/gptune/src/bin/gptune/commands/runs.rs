//! Runs that were made.

use std::{collections::BTreeMap, path::Path, time::UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use gptune::{
    model::title,
    runs::{SCORES, compare as page, differences_in_measuring, score, setting, state},
    text::on_a_line,
};
use gptune_run::{RunState, RunSummary, ValidationLoss};
use serde_json::{Value, json};

use super::{check_writable, print_json};
use crate::{
    args::{CompareArgs, RunsArgs},
    console::{note, print_line},
    table::{Row, print_table},
};

/// Settings that have columns of their own, or that nothing of the training depends on.
const SHOWN_APART: [&str; 16] = [
    "model",
    "data",
    "train_data",
    "val_data",
    "test_data",
    "device",
    "checkpoint",
    "checkpoint_every",
    "checkpoint_minutes",
    "keep_checkpoint",
    "keep_best",
    "tensorboard",
    "respond",
    "response_tokens",
    "preview",
    "sample_tokens",
];

pub(crate) fn run(args: &RunsArgs) -> Result<()> {
    let runs = match RunSummary::list(&args.folder) {
        // A run itself, and not a folder of runs.
        Ok(none) if none.is_empty() => RunSummary::read(&args.folder).into_iter().collect(),
        Ok(runs) => runs,
        // Nobody has made a run here yet.
        Err(_) if !args.given() && !args.folder.exists() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if args.json {
        let differing = RunSummary::differing(&runs);
        let runs: Vec<Value> = (0..runs.len()).map(|index| to_json(&runs, index, &differing)).collect();
        return print_json(&runs);
    }
    if runs.is_empty() {
        return print_line(format_args!("there are no runs in {}", args.folder.display()));
    }
    print_table(&table(&runs, true))
}

pub(crate) fn compare(args: &CompareArgs) -> Result<()> {
    let runs = args.runs.iter().map(|path| RunSummary::read(path)).collect::<Result<Vec<_>, _>>()?;
    for (index, run) in runs.iter().enumerate() {
        let same = |other: &RunSummary| other.path.canonicalize().ok() == run.path.canonicalize().ok();
        if runs[..index].iter().any(same) {
            bail!("{} is given twice; give each run once", run.path.display());
        }
    }
    args.html.as_deref().map_or(Ok(()), check_page)?;
    if let Some(path) = &args.html {
        page(&runs).write_html(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let (differing, notes) = (RunSummary::differing(&runs), differences_in_measuring(&runs));
    if args.json {
        let all: Vec<Value> = (0..runs.len()).map(|index| to_json(&runs, index, &differing)).collect();
        let html = args.html.as_ref().map(|path| path.display().to_string());
        return print_json(&json!({ "runs": all, "notes": notes, "html": html }));
    }
    for sentence in &notes {
        note(&format!("Note: {sentence}"));
    }
    print_table(&table(&runs, false))?;
    if !differing.is_empty() {
        print_line("\nSettings that differ")?;
        let header = std::iter::once(String::new()).chain(runs.iter().map(|run| on_a_line(&run.name))).collect();
        let row = |(key, values): &(String, Vec<Option<toml::Value>>)| {
            let values = values.iter().map(|value| value.as_ref().map_or_else(|| "–".to_owned(), setting));
            std::iter::once(key.clone()).chain(values).collect::<Row>()
        };
        print_table(&std::iter::once(header).chain(differing.iter().map(row)).collect::<Vec<_>>())?;
    }
    match &args.html {
        Some(path) => print_line(format_args!("\nThe curves over each other are in {}", path.display())),
        None => print_line("\n--html FILE draws the curves over each other"),
    }
}

/// Makes sure that a page can be written, and takes the place of nothing but a page.
fn check_page(path: &Path) -> Result<()> {
    check_writable(path)?;
    let is_page = |bytes: &[u8]| bytes.trim_ascii_start().to_ascii_lowercase().starts_with(b"<!doctype html");
    match std::fs::read(path) {
        Ok(bytes) if path.is_file() && !bytes.is_empty() && !is_page(&bytes) => {
            bail!("{} is there, and no page; give another --html", path.display())
        }
        _ => Ok(()),
    }
}

/// A row a run.
fn table(runs: &[RunSummary], with_settings: bool) -> Vec<Row> {
    let differing = RunSummary::differing(runs);
    let header = ["", "state", "model", "data", "steps", "time", "val loss", "lowest", "last", "normalized match"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| row(run).to_vec()));
    if with_settings {
        rows[0].push("settings that differ".to_owned());
        for (index, row) in rows[1..].iter_mut().enumerate() {
            let own = differing.iter().filter(|(key, _)| !SHOWN_APART.contains(&key.as_str()));
            let own = own.filter_map(|(key, values)| Some(format!("{key}={}", setting(values[index].as_ref()?))));
            row.push(own.collect::<Vec<_>>().join(" "));
        }
    }
    // A column that is empty for all is none.
    let is_empty = |column: usize| column > 0 && rows[1..].iter().all(|row| row[column].is_empty());
    let kept: Vec<usize> = (0..rows[0].len()).filter(|&column| !is_empty(column)).collect();
    rows.iter().map(|row| kept.iter().map(|&column| row[column].clone()).collect()).collect()
}

fn row(run: &RunSummary) -> [String; 10] {
    let loss = |at: Option<ValidationLoss>| at.map_or_else(String::new, |at| format!("{:.3}", at.loss));
    let steps = run.steps();
    let steps = match run.all_steps() {
        Some(all) if all != steps => format!("{steps} of {all}"),
        _ => steps.to_string(),
    };
    let seconds = run.seconds().unwrap_or_else(|| run.step_seconds());
    let best = run.best_loss();
    [
        on_a_line(&run.name),
        on_a_line(&state(run)),
        run.model().map(title).unwrap_or_default(),
        run.data().map(title).unwrap_or_default(),
        steps,
        duration(seconds),
        loss(run.first_loss()),
        // Steps count from 0, as those of the account and the page do.
        best.map_or_else(String::new, |at| match at.steps.checked_sub(1) {
            Some(step) => format!("{:.3} at {step}", at.loss),
            None => format!("{:.3} at first", at.loss),
        }),
        loss(run.last_loss()),
        score(run, "normalized").map_or_else(String::new, |(estimate, _)| {
            format!("{:.1} % ({:.1}–{:.1})", 100.0 * estimate.mean, 100.0 * estimate.low, 100.0 * estimate.high)
        }),
    ]
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 100.0 => format!("{seconds:.0} s"),
        seconds if seconds < 6000.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn to_json(runs: &[RunSummary], index: usize, differing: &[(String, Vec<Option<toml::Value>>)]) -> Value {
    let run = &runs[index];
    let loss = |at: Option<ValidationLoss>| at.map(|at| json!({ "steps": at.steps, "loss": at.loss }));
    let started = run.started.and_then(|time| Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    let scores: BTreeMap<&str, Value> = SCORES
        .into_iter()
        .filter_map(|(key, _)| {
            let (estimate, items) = score(run, key)?;
            Some((key, json!({ "mean": estimate.mean, "low": estimate.low, "high": estimate.high, "count": items })))
        })
        .collect();
    let own =
        differing.iter().map(|(key, values)| (key.clone(), json!(values[index]))).collect::<serde_json::Map<_, _>>();
    let (state, resumable, problem) = match &run.state {
        RunState::Complete => ("complete", false, None),
        RunState::Running => ("running", false, None),
        RunState::Interrupted { resumable } => ("interrupted", *resumable, None),
        RunState::Failed(problem) => ("failed", false, Some(problem)),
        RunState::Damaged(problem) => ("damaged", false, Some(problem)),
    };
    json!({
        "path": run.path.display().to_string(),
        "name": run.name,
        "state": state,
        "resumable": resumable,
        "problem": problem,
        "started": started,
        "model": run.model(),
        "data": run.data(),
        "steps": run.steps(),
        "all_steps": run.all_steps(),
        "seconds": run.seconds(),
        "first_loss": loss(run.first_loss()),
        "best_loss": loss(run.best_loss()),
        "last_loss": loss(run.last_loss()),
        "token_loss": run.token_loss(),
        "perplexity": run.perplexity(),
        "scores": scores,
        "differing": own,
        "settings": run.settings,
    })
}

impl RunsArgs {
    /// Whether somebody named the folder.
    fn given(&self) -> bool {
        self.folder != Path::new("runs")
    }
}
