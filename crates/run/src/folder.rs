//! Where a run goes.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use gptune_files::NewFolder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ANSWERS, Event, RunError,
    checkpoint::{self, Best, Progress, Stored},
};

/// The folder of the model of the lowest validation loss, and that of a newer one that no stored state knows of yet.
const BEST: &str = "best";
const NEWER_BEST: &str = ".newer-best";
/// What tells of which evaluation it is.
const BEST_FILE: &str = "best.json";
/// Its weights.
const WEIGHTS: &str = "model.safetensors";

/// What a run leaves at its end.
const AT_THE_END: [&str; 5] = [
    "report.html",
    "scores.json",
    ANSWERS,
    "instruction-data-with-some-responses.json",
    "instruction-data-before-training.json",
];

/// A run's folder: its configuration, written before the first step, and its events, one line of
/// `metrics.jsonl` each.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
}

impl RunFolder {
    /// Checks that a run can go into `path`, without changing anything.
    ///
    /// # Errors
    ///
    /// [`RunError::NotEmpty`] if something is there already.
    pub fn check(path: &Path) -> Result<(), RunError> {
        let write = |source| RunError::Write { path: path.to_owned(), source };
        match fs::read_dir(path) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Err(RunError::NotEmpty { path: path.to_owned() }),
                None => Ok(()),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(_) if path.is_file() => Err(RunError::NoFolder { path: path.to_owned() }),
            Err(error) => Err(write(error)),
        }
    }

    /// Creates the folder and writes the configuration. Of several that try at the same time, one succeeds.
    ///
    /// # Errors
    ///
    /// [`RunError::NotEmpty`] if something is there already, [`RunError::Write`] if it cannot
    /// be written.
    pub fn create(path: &Path, config: &str) -> Result<Self, RunError> {
        Self::check(path)?;
        fs::create_dir_all(path).map_err(|source| RunError::Write { path: path.to_owned(), source })?;
        Self::claim(path, config)
    }

    /// Creates `parent/name`, or if that is there, `parent/name-2` and so on.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`] if it cannot be written.
    pub fn create_named(parent: &Path, name: &str, config: &str) -> Result<Self, RunError> {
        fs::create_dir_all(parent).map_err(|source| RunError::Write { path: parent.to_owned(), source })?;
        for number in 1_u32.. {
            let path = parent.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
            // Creating it is the claim on it.
            match fs::create_dir(&path) {
                Ok(()) => return Self::claim(&path, config),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(RunError::Write { path, source }),
            }
        }
        Err(RunError::NotEmpty { path: parent.join(name) })
    }

    /// Takes possession of a folder: who makes its `metrics.jsonl` has it.
    fn claim(path: &Path, config: &str) -> Result<Self, RunError> {
        let file = path.join("metrics.jsonl");
        let metrics = File::options().append(true).create_new(true).open(&file).map_err(|source| {
            if source.kind() == std::io::ErrorKind::AlreadyExists {
                RunError::NotEmpty { path: path.to_owned() }
            } else {
                RunError::Write { path: file, source }
            }
        })?;
        lock(&metrics, path)?;
        let file = path.join("config.toml");
        gptune_files::write(&file, config.as_bytes()).map_err(|source| RunError::Write { path: file, source })?;
        Ok(Self { path: path.to_owned(), metrics })
    }

    /// Takes possession of a run that is there, to go on with it. What a process that was killed left behind is removed.
    ///
    /// # Errors
    ///
    /// [`RunError::Busy`] if another process has it, or [`RunError::Write`].
    pub fn reopen(path: &Path) -> Result<Self, RunError> {
        let file = path.join("metrics.jsonl");
        let metrics = File::options().append(true).open(&file);
        let metrics = metrics.map_err(|source| RunError::Write { path: file.clone(), source })?;
        lock(&metrics, path)?;
        let cannot = |path: &Path| {
            let path = path.to_owned();
            |source| RunError::Write { path, source }
        };
        for folder in [path.to_owned(), path.join("model")].into_iter().filter(|folder| folder.is_dir()) {
            gptune_files::sweep(&folder).map_err(cannot(&folder))?;
        }
        for name in ["checkpoint", "best"] {
            let folder = path.join(name);
            gptune_files::settle(&folder).map_err(cannot(&folder))?;
        }
        Ok(Self { path: path.to_owned(), metrics })
    }

    /// Goes on with a run where its state was stored: its metrics are cut back to this length. What it left at an end that
    /// is none any more is removed.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`], or [`RunError::Checkpoint`] if its metrics are shorter.
    pub fn cut_back(&self, metrics_bytes: u64) -> Result<(), RunError> {
        let file = self.join("metrics.jsonl");
        let cannot = |source| RunError::Write { path: file.clone(), source };
        let metrics = &self.metrics;
        if metrics.metadata().map_err(cannot)?.len() < metrics_bytes {
            let problem =
                format!("it has less than the {metrics_bytes} bytes that it had when the checkpoint was written");
            return Err(RunError::Checkpoint { path: file, problem });
        }
        metrics.set_len(metrics_bytes).map_err(cannot)?;
        for name in AT_THE_END {
            match fs::remove_file(self.join(name)) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RunError::Write { path: self.join(name), source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps a model of the lowest validation loss, which `write` puts into a folder. It becomes `best/` when the state of
    /// the run that knows of it is stored, or when there is none to be stored: a run that is gone on with shall not have a
    /// model from its future.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`], or what `write` says.
    pub fn keep_best<E: From<RunError>>(
        &self,
        best: Best,
        stored: bool,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.join(if stored { NEWER_BEST } else { BEST });
        let cannot = |source| E::from(RunError::Write { path: path.clone(), source });
        let folder = NewFolder::create_beside(&path).map_err(cannot)?;
        write(folder.path())?;
        let weights = checkpoint::checksum_of(&folder.path().join(WEIGHTS)).map_err(cannot)?;
        let text = serde_json::to_string(&Kept { best, weights }).map_err(|error| cannot(error.into()))? + "\n";
        gptune_files::write(&folder.path().join(BEST_FILE), text.as_bytes()).map_err(cannot)?;
        folder.replace().map_err(cannot)
    }

    /// Whether `best/` holds the model of this evaluation, as it was written.
    #[must_use]
    pub fn has_best(&self, best: Best) -> bool {
        is_of(&self.join(BEST), best)
    }

    /// Makes the newest model of the lowest validation loss the one that is kept, if it is the one that a state names, or
    /// there is no state; and removes it otherwise.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn settle_best(&self, named: Option<Best>) -> Result<(), RunError> {
        let (newer, place) = (self.join(NEWER_BEST), self.join(BEST));
        if !newer.is_dir() {
            return Ok(());
        }
        let settled = if named.is_some_and(|named| is_of(&newer, named)) {
            gptune_files::take_place(&newer, &place)
        } else {
            fs::remove_dir_all(&newer)
        };
        settled.map_err(|source| RunError::Write { path: newer, source })
    }

    /// Stores the state of the training, in the place of the one before.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`]; the one before is then what it was.
    pub fn store(&self, progress: &Progress, program: &Value, tensors: Vec<(String, Stored)>) -> Result<(), RunError> {
        let length = self.metrics.metadata().map(|file| file.len());
        let length = length.map_err(|source| RunError::Write { path: self.join("metrics.jsonl"), source })?;
        checkpoint::write(&self.path, length, progress, program, tensors)?;
        self.settle_best(progress.best)
    }

    /// Removes the stored state.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn forget(&self) -> Result<(), RunError> {
        checkpoint::remove(&self.path)
    }

    /// Appends an event. Each line is handed to the system at once, so that a run that is killed
    /// has told what it did.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn append(&self, event: &Event) -> Result<(), RunError> {
        let fault = |source| RunError::Write { path: self.path.join("metrics.jsonl"), source };
        let mut line = serde_json::to_vec(event).map_err(|error| fault(error.into()))?;
        line.push(b'\n');
        (&self.metrics).write_all(&line).map_err(fault)
    }

    /// The path of something in the folder.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that appears under its name only when it is complete.
    ///
    /// # Errors
    ///
    /// [`RunError::Write`].
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<PathBuf, RunError> {
        let path = self.join(name);
        match gptune_files::write(&path, contents) {
            Ok(()) => Ok(path),
            Err(source) => Err(RunError::Write { path, source }),
        }
    }
}

/// What is told of the model of the lowest validation loss, beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    best: Best,
    /// Length and CRC-32C of its weights; none if they are in several files.
    weights: Option<(u64, u32)>,
}

/// Whether a folder holds the model of an evaluation, as it was written.
fn is_of(folder: &Path, best: Best) -> bool {
    let text = fs::read(folder.join(BEST_FILE)).unwrap_or_default();
    let kept = serde_json::from_slice::<Kept>(&text);
    kept.is_ok_and(|kept| {
        kept.best == best && checkpoint::checksum_of(&folder.join(WEIGHTS)).is_ok_and(|now| now == kept.weights)
    })
}

/// Has the folder for this process until the file is closed.
fn lock(metrics: &File, path: &Path) -> Result<(), RunError> {
    for _ in 0..10 {
        match metrics.try_lock() {
            // Who reads a run's state has it too, but only for a moment.
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            // A file system without locks has to do without.
            _ => return Ok(()),
        }
    }
    Err(RunError::Busy { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        let error = RunFolder::create(folder.path(), "").unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn configuration_and_events_are_on_disk_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let run = RunFolder::create(&path, "lr = 0.1\n").unwrap();
        let event = Event::Initial { train_loss: 3.825_9, val_loss: 3.761_9 };
        run.append(&event).unwrap();
        assert_eq!(crate::read_events(&path.join("metrics.jsonl")).unwrap(), [event]);
        assert_eq!(fs::read_to_string(path.join("config.toml")).unwrap(), "lr = 0.1\n");
        let text = fs::read_to_string(path.join("metrics.jsonl")).unwrap();
        assert_eq!(text, "{\"event\":\"initial\",\"train_loss\":3.8259,\"val_loss\":3.7619}\n");
    }

    #[test]
    fn a_run_is_gone_on_with_by_one_process_and_from_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, "").unwrap();
        run.append(&Event::Initial { train_loss: 1.0, val_loss: 2.0 }).unwrap();
        let length = fs::metadata(path.join("metrics.jsonl")).unwrap().len();
        run.append(&Event::Initial { train_loss: 3.0, val_loss: 4.0 }).unwrap();
        fs::create_dir(path.join("model")).unwrap();
        fs::write(path.join("model/.writing-1-1"), "x").unwrap();
        assert!(matches!(RunFolder::reopen(&path), Err(RunError::Busy { .. })));
        drop(run);
        let run = RunFolder::reopen(&path).unwrap();
        run.cut_back(length).unwrap();
        run.append(&Event::Initial { train_loss: 5.0, val_loss: 6.0 }).unwrap();
        let events = crate::read_events(&path.join("metrics.jsonl")).unwrap();
        assert!(matches!(events[..], [Event::Initial { train_loss: 1.0, .. }, Event::Initial { train_loss: 5.0, .. }]));
        assert_eq!(fs::read_dir(path.join("model")).unwrap().count(), 0);
        drop(run);
        let error = RunFolder::reopen(&path).unwrap().cut_back(10_000).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl cannot be used: it has less than"), "{error}");
    }

    #[test]
    fn runs_of_one_name_get_folders_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let create = || RunFolder::create_named(folder.path(), "run", "").unwrap();
        let names: Vec<PathBuf> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            runs.into_iter().map(|run| run.join().unwrap().path().to_owned()).collect()
        });
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), 8, "{names:?}");
        assert!(folder.path().join("run-8/config.toml").is_file());
    }

    #[test]
    fn one_of_two_runs_gets_a_folder_that_both_were_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let create = || RunFolder::create(&path, "").is_ok();
        let won = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            runs.into_iter().map(|run| usize::from(run.join().unwrap())).sum::<usize>()
        });
        assert_eq!(won, 1);
    }
}
