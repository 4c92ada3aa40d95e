//! Losses as a table.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Event, RunError, Sink};

/// The columns, by the names that `metrics.jsonl` has for them.
const COLUMNS: [&str; 16] = [
    "event",
    "epoch",
    "step",
    "loss",
    "lr",
    "tokens",
    "padded_tokens",
    "seconds",
    "grad_norm",
    "loss_scale",
    "skipped",
    "tokens_seen",
    "train_loss",
    "val_loss",
    "val_token_loss",
    "val_perplexity",
];

/// A sink that writes losses as a table: comma-separated values as of RFC 4180, a header and a row for each
/// [`Event::Initial`], [`Event::Step`], [`Event::Eval`] and [`Event::Final`].
///
/// A cell holds what `metrics.jsonl` has under the name of the column, digit by digit. It is empty where that has nothing,
/// or null for a number that is none.
#[derive(Debug)]
pub struct Csv {
    path: PathBuf,
    file: File,
}

impl Csv {
    /// Begins the table at `path` with what happened so far: nothing in a new run, the events up to where it goes on in a
    /// resumed one. A table that is there already is replaced.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn create(path: &Path, past: &[Event]) -> Result<Self, RunError> {
        let fault = |source| RunError::Write { path: path.to_owned(), source };
        let mut table = COLUMNS.join(",") + "\r\n";
        for event in past {
            table += &row(event).map_err(fault)?;
        }
        gptune_files::write(path, table.as_bytes()).map_err(fault)?;
        let file = File::options().append(true).open(path).map_err(fault)?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Sink for Csv {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        let row = row(event).and_then(|row| self.file.write_all(row.as_bytes()));
        row.map_err(|source| RunError::Write { path: self.path.clone(), source })
    }
}

/// The row of an event; nothing if it has none.
fn row(event: &Event) -> std::io::Result<String> {
    if matches!(event, Event::Start { .. } | Event::Sample { .. } | Event::End { .. }) {
        return Ok(String::new());
    }
    let event = serde_json::to_value(event)?;
    // Numbers, and words without anything to quote.
    let cell = |column: &&str| match &event[*column] {
        Value::Null => String::new(),
        Value::String(word) => word.clone(),
        other => other.to_string(),
    };
    Ok(COLUMNS.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        let step = |step, grad_norm, skipped| Event::Step {
            epoch: 1,
            step,
            loss: 0.1 + 0.2,
            lr: 5e-5,
            groups: std::collections::BTreeMap::new(),
            tokens: 30,
            padded_tokens: 32,
            seconds: 0.25,
            grad_norm,
            loss_scale: grad_norm.map(|_| 65536.0),
            skipped,
        };
        vec![
            Event::Start { epochs: 1, steps_per_epoch: 2, steps: 2, parameters: 9, train_examples: 4, val_examples: 2 },
            Event::Initial { train_loss: 3.0, val_loss: 1e-7 },
            step(0, None, false),
            Event::Eval { epoch: 1, step: 0, tokens_seen: 32, train_loss: f64::NAN, val_loss: f64::INFINITY },
            step(1, Some(f64::INFINITY), true),
            Event::Sample { epoch: 1, ids: vec![1], text: "a,\"b\"\n".to_owned() },
            Event::Final { step: 1, train_loss: 1.5, val_loss: 2.5, val_token_loss: 2.25, val_perplexity: 9.487_735 },
            Event::End {
                seconds: 1.0,
                peak_memory_bytes: None,
                interrupted: false,
                out_of_patience: false,
                problem: None,
            },
        ]
    }

    fn written(folder: &Path, past: &[Event], rest: &[Event]) -> String {
        let path = folder.join("metrics.csv");
        let mut csv = Csv::create(&path, past).unwrap();
        rest.iter().try_for_each(|event| csv.event(event)).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_row_has_the_digits_of_the_json_and_nothing_for_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path(), &[], &events());
        let wanted = [
            "event,epoch,step,loss,lr,tokens,padded_tokens,seconds,grad_norm,loss_scale,skipped,tokens_seen,train_loss,\
             val_loss,val_token_loss,val_perplexity",
            "initial,,,,,,,,,,,,3.0,1e-7,,",
            "step,1,0,0.30000000000000004,0.00005,30,32,0.25,,,,,,,,",
            "eval,1,0,,,,,,,,,32,,,,",
            "step,1,1,0.30000000000000004,0.00005,30,32,0.25,,65536.0,true,,,,,",
            "final,,1,,,,,,,,,,1.5,2.5,2.25,9.487735",
        ];
        assert_eq!(text, wanted.map(|line| line.to_owned() + "\r\n").concat());
    }

    #[test]
    fn a_resumed_run_has_the_bytes_of_one_that_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let whole = written(folder.path(), &[], &events());
        // As they come back from metrics.jsonl.
        let json = |event: &Event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        let read: Vec<Event> = events().iter().map(json).collect();
        for cut in 0..=read.len() {
            assert_eq!(written(folder.path(), &read[..cut], &events()[cut..]), whole, "after {cut} events");
        }
    }
}
