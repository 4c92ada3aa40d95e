//! Curves for TensorBoard.

mod proto;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use prost::Message;

use self::proto::{Content, Metadata, PluginData, SessionLog, Shape, Summary, Tensor, Value, What};
use crate::{Event, RunError, Sink};

/// A sink that writes an event file of TensorBoard.
///
/// Tags are called as transformers' `Trainer` calls them (`train/loss`, `train/learning_rate`, `train/grad_norm`), and where
/// it has none, by the fields of [`Event`]:
///
/// | tag | what |
/// |---|---|
/// | `train/loss`, `train/learning_rate` | [`Event::Step`] |
/// | `train/grad_norm`, `train/loss_scale` | of a step, where they are known |
/// | `train/tokens_per_second` | the examples' own tokens, in the time of the step |
/// | `eval/train_loss`, `eval/val_loss` | [`Event::Initial`], [`Event::Eval`] and [`Event::Final`] |
/// | `eval/val_token_loss`, `eval/val_perplexity` | [`Event::Final`] |
/// | `sample` | [`Event::Sample`], in the tab TEXT |
///
/// The horizontal axis counts the optimizer steps that were taken, as `global_step` does there: losses before training are
/// at 0, those of the first step at 1, and those of the evaluation after it at 1 too. Curves of one run thus line up with
/// each other, with those of transformers, and with what [`Progress::step`](crate::Progress::step) says.
///
/// Numbers are 32-bit floats, which is what the format has for them, also those that are infinite or none. Each event is
/// handed to the system at once.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: File,
    /// Optimizer steps so far.
    steps: usize,
}

impl TensorBoard {
    /// Begins a file in `folder`, which is made if it is not there, after what happened so far: nothing in a new run, the
    /// events up to where it goes on in a resumed one.
    ///
    /// What earlier processes wrote into the folder beyond that is not shown any more. Nothing of their files is changed:
    /// the new one begins with the record of a restart, at which TensorBoard drops all that it has at this step and later.
    /// PyTorch's `SummaryWriter` does the same for its `purge_step`. (TensorBoard's data server goes by what comes again
    /// under a tag instead. It keeps the perplexity at the end of a run that was extended then, which does not.)
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn create(folder: &Path, past: &[Event]) -> Result<Self, RunError> {
        let fault = |source| RunError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(fault)?;
        let path = folder.join(name(folder).map_err(fault)?);
        let file = File::options().append(true).create_new(true).open(&path);
        let file = file.map_err(|source| RunError::Write { path: path.clone(), source })?;
        let mut board = Self { path, file, steps: 0 };
        board.write(0, What::FileVersion("brain.Event:2".to_owned()))?;
        let taken = past.iter().rev().find_map(|event| match event {
            Event::Step { step, .. } => Some(step + 1),
            _ => None,
        });
        // In a new run too: there may be files of a process that was killed before anything was stored, and TensorBoard
        // takes the first such record that it meets for no restart.
        let taken = taken.unwrap_or(0);
        board.write(taken, What::SessionLog(SessionLog { status: proto::START }))?;
        // What belongs to this very step is dropped too. Some of it comes again, as a sample does, and some is past.
        for event in past {
            board.note(event, taken)?;
        }
        Ok(board)
    }

    /// Writes an event if it is at this step or later.
    fn note(&mut self, event: &Event, from: usize) -> Result<(), RunError> {
        if let Event::Step { step, .. } = event {
            self.steps = step + 1;
        }
        let step = match event {
            Event::Eval { step, .. } | Event::Final { step, .. } => step + 1,
            _ => self.steps,
        };
        let value = values(event);
        if step < from || value.is_empty() {
            return Ok(());
        }
        self.write(step, What::Summary(Summary { value }))
    }

    fn write(&mut self, step: usize, what: What) -> Result<(), RunError> {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let event = proto::Event { wall_time, step: i64::try_from(step).unwrap_or(i64::MAX), what: Some(what) };
        let written = self.file.write_all(&record(&event.encode_to_vec()));
        written.map_err(|source| RunError::Write { path: self.path.clone(), source })
    }
}

impl Sink for TensorBoard {
    fn event(&mut self, event: &Event) -> Result<(), RunError> {
        self.note(event, 0)
    }
}

/// A name that comes after all those in the folder: TensorBoard reads files in the order of their names, and clocks of
/// machines differ.
fn name(folder: &Path) -> io::Result<String> {
    const BEGINNING: &str = "events.out.tfevents.";
    let mut time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(BEGINNING));
        let there = rest.and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
        time = time.max(there.map_or(0, |there| there + 1));
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    let host = if host.is_empty() { "localhost" } else { &host };
    Ok(format!("{BEGINNING}{time:010}.{host}.{}.gptune", std::process::id()))
}

/// What TensorBoard shows of an event.
fn values(event: &Event) -> Vec<Value> {
    match event {
        Event::Step { loss, lr, tokens, seconds, grad_norm, loss_scale, .. } => {
            let rate = (*seconds > 0.0).then(|| *tokens as f64 / seconds);
            let all = [
                ("train/loss", Some(*loss)),
                ("train/learning_rate", Some(*lr)),
                ("train/grad_norm", *grad_norm),
                ("train/loss_scale", *loss_scale),
                ("train/tokens_per_second", rate),
            ];
            all.into_iter().filter_map(|(tag, number)| Some(scalar(tag, number?))).collect()
        }
        Event::Initial { train_loss, val_loss } | Event::Eval { train_loss, val_loss, .. } => {
            vec![scalar("eval/train_loss", *train_loss), scalar("eval/val_loss", *val_loss)]
        }
        Event::Final { train_loss, val_loss, val_token_loss, val_perplexity, .. } => vec![
            scalar("eval/train_loss", *train_loss),
            scalar("eval/val_loss", *val_loss),
            scalar("eval/val_token_loss", *val_token_loss),
            scalar("eval/val_perplexity", *val_perplexity),
        ],
        Event::Sample { text, .. } => vec![sample(text)],
        Event::Start { .. } | Event::End { .. } => Vec::new(),
    }
}

/// In the form of `add_scalar`, which needs no metadata.
#[allow(clippy::cast_possible_truncation)] // the format's precision
fn scalar(tag: &str, number: f64) -> Value {
    Value { tag: tag.to_owned(), metadata: None, content: Some(Content::SimpleValue(number as f32)) }
}

/// Text as it is: TensorBoard takes it for Markdown, in which an indented block is shown character by character.
fn sample(text: &str) -> Value {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    let string_val = vec![lines.join("\n").into_bytes()];
    let tensor = Tensor { dtype: proto::STRING, shape: Some(Shape {}), string_val };
    let plugin_data = Some(PluginData { plugin_name: "text".to_owned() });
    let metadata = Some(Metadata { plugin_data });
    Value { tag: "sample".to_owned(), metadata, content: Some(Content::Tensor(tensor)) }
}

/// A record of a `TFRecord` file: length, its checksum, data, their checksum (TensorFlow's `record_writer.h`).
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked(&length)[..], data, &masked(data)].concat()
}

/// The CRC-32C as it is stored: that of data with a CRC in them would be no good (TensorFlow's `crc32c.h`).
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_of_tensorboards_own_writer() {
        let summary = Summary { value: vec![scalar("train/loss", 0.0), sample("a")] };
        let all = [
            (0, What::FileVersion("brain.Event:2".to_owned())),
            (3, What::SessionLog(SessionLog { status: proto::START })),
            (3, What::Summary(summary)),
        ];
        let records = all.map(|(step, what)| {
            let event = proto::Event { wall_time: 1.5, step, what: Some(what) };
            record(&event.encode_to_vec())
        });
        assert_eq!(records.concat(), include_bytes!("../tests/fixtures/event_records.tfrecord"));
    }

    #[test]
    fn a_file_comes_after_those_of_other_machines_and_processes() {
        let folder = tempfile::tempdir().unwrap();
        let later = "events.out.tfevents.9999999997.other.1.0";
        for there in [later, "events.out.tfevents.x", "profile"] {
            fs::write(folder.path().join(there), "").unwrap();
        }
        let names = [(); 2].map(|()| {
            let board = TensorBoard::create(folder.path(), &[]).unwrap();
            board.path.file_name().unwrap().to_str().unwrap().to_owned()
        });
        assert!(names[0].starts_with("events.out.tfevents.9999999998.") && names[0].ends_with(".gptune"), "{names:?}");
        assert!(names[1].starts_with("events.out.tfevents.9999999999."), "{names:?}");
    }

    #[test]
    fn each_event_is_on_disk_at_once_and_a_rate_without_time_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(&folder.path().join("a/b"), &[]).unwrap();
        let length = |board: &TensorBoard| fs::metadata(&board.path).unwrap().len();
        let before = length(&board);
        board
            .event(&Event::End {
                seconds: 1.0,
                peak_memory_bytes: None,
                interrupted: false,
                out_of_patience: false,
                problem: None,
            })
            .unwrap();
        assert_eq!(length(&board), before);
        board.event(&Event::Initial { train_loss: f64::NAN, val_loss: 1.0 }).unwrap();
        assert!(length(&board) > before);
        let step = Event::Step {
            epoch: 1,
            step: 0,
            loss: 1.0,
            lr: 0.0,
            groups: std::collections::BTreeMap::new(),
            tokens: 3,
            padded_tokens: 4,
            seconds: 0.0,
            grad_norm: None,
            loss_scale: None,
            skipped: false,
        };
        let tags: Vec<String> = values(&step).into_iter().map(|value| value.tag).collect();
        assert_eq!(tags, ["train/loss", "train/learning_rate"]);
    }
}
