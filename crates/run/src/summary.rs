//! What is to be known of a run, read from its folder.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::Value;

use crate::{Event, RunError, checkpoint};

/// The file of a run with the answers to the test part, as the book calls it.
pub const ANSWERS: &str = "instruction-data-with-response.json";

/// A run, as its folder tells of it. Nothing in there is changed, so that it can be read while the run goes on.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The folder.
    pub path: PathBuf,
    /// The folder's name.
    pub name: String,
    /// How far the run came.
    pub state: RunState,
    /// `config.toml`; empty if that cannot be read.
    pub settings: toml::Table,
    /// `metrics.jsonl`, up to a line that cannot be read. A last line that was cut off is none.
    pub events: Vec<Event>,
    /// `scores.json`, if there is one: what `gptune score --json` says of the answers.
    pub scores: Option<Value>,
    /// When the run was begun, as far as the file system tells.
    pub started: Option<SystemTime>,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Every step was taken, or the run ran out of patience; and what it leaves is written.
    Complete,
    /// A process is at work on it.
    Running,
    /// It was broken off or killed before all was done.
    Interrupted {
        /// Whether there is a stored state (`checkpoint/`) to go on from.
        resumable: bool,
    },
    /// It ended because something was no finite number any more: what that was.
    Failed(String),
    /// Something in the folder cannot be read: what, and why.
    Damaged(String),
}

/// A loss on the validation part: the mean of the batch losses, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidationLoss {
    /// Optimizer steps that were taken when it was measured.
    pub steps: usize,
    /// The loss; perhaps no number.
    pub loss: f64,
}

impl RunSummary {
    /// Reads the run in a folder.
    ///
    /// # Errors
    ///
    /// [`RunError::NoRun`] if there is none. What cannot be read of one is told by its state.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let [config, metrics, scores] = ["config.toml", "metrics.jsonl", "scores.json"].map(|name| path.join(name));
        if !(config.is_file() && metrics.is_file()) {
            return Err(RunError::NoRun { path: path.to_owned() });
        }
        // First: all events of a run that ends meanwhile are then read.
        let is_running = is_locked(&metrics);
        let mut problems = Vec::new();
        let (events, problem) = events_of(&metrics);
        problems.extend(problem);
        let settings = settings_of(&config).unwrap_or_else(|problem| {
            problems.push(problem);
            toml::Table::new()
        });
        let scores = scores_of(&scores).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let state = match (problems.is_empty(), is_running) {
            (false, _) => RunState::Damaged(problems.join("; ")),
            (true, true) => RunState::Running,
            (true, false) => state_of(path, &settings, &events),
        };
        let started = begun(&config, &metrics);
        Ok(Self { path: path.to_owned(), name: name_of(path), state, settings, events, scores, started })
    }

    /// The runs in a folder of runs, the oldest first. What is no run is left out, and a damaged one is none the less one.
    ///
    /// # Errors
    ///
    /// [`RunError::Read`] if the folder cannot be read.
    pub fn list(folder: &Path) -> Result<Vec<Self>, RunError> {
        let fault = |source| RunError::Read { path: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(fault)?.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let mut runs: Vec<Self> = entries.iter().filter_map(|entry| Self::read(&entry.path()).ok()).collect();
        runs.sort_by(|a, b| (a.started, &a.name).cmp(&(b.started, &b.name)));
        Ok(runs)
    }

    /// The settings that are not the same in all these runs, with the value that each has; none where a run does not tell
    /// it. A run whose settings cannot be read makes no difference.
    #[must_use]
    pub fn differing(runs: &[Self]) -> Vec<(String, Vec<Option<toml::Value>>)> {
        let known = || runs.iter().map(|run| &run.settings).filter(|settings| !settings.is_empty());
        let keys: BTreeSet<&String> = known().flat_map(toml::Table::keys).collect();
        let differs = |key: &&String| {
            let mut values = known().map(|settings| settings.get(*key));
            let first = values.next();
            values.any(|value| Some(value) != first)
        };
        let values = |key: &String| (key.clone(), runs.iter().map(|run| run.settings.get(key).cloned()).collect());
        keys.into_iter().filter(differs).map(values).collect()
    }

    /// The model that the run started from, as its settings have it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.settings.get("model")?.as_str()
    }

    /// The data that the run learned from, as its settings have them.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        let text = |key| self.settings.get(key).and_then(toml::Value::as_str);
        text("train_data").filter(|data| !data.is_empty()).or(text("data"))
    }

    /// Optimizer steps that were taken.
    #[must_use]
    pub fn steps(&self) -> usize {
        steps(&self.events)
    }

    /// Optimizer steps of the whole run, with what extended it; none if it was killed before it knew.
    #[must_use]
    pub fn all_steps(&self) -> Option<usize> {
        all_steps(&self.settings, &self.events)
    }

    /// Duration in seconds, as the end of the run tells it: evaluations and samples included, and the processes that it
    /// was gone on with.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.events.iter().rev().find_map(|event| match event {
            Event::End { seconds, .. } => Some(*seconds),
            _ => None,
        })
    }

    /// Duration of the steps alone, in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> f64 {
        let seconds = |event: &Event| if let Event::Step { seconds, .. } = event { *seconds } else { 0.0 };
        self.events.iter().map(seconds).sum()
    }

    /// The first loss on the validation part, mostly that before the first step.
    #[must_use]
    pub fn first_loss(&self) -> Option<ValidationLoss> {
        self.losses().next()
    }

    /// The newest loss on the validation part; of a complete run that of the finished model.
    #[must_use]
    pub fn last_loss(&self) -> Option<ValidationLoss> {
        self.losses().last()
    }

    /// The lowest loss on the validation part after a step, and the first of several: that of the model in `best/`, if one is
    /// kept.
    #[must_use]
    pub fn best_loss(&self) -> Option<ValidationLoss> {
        let after_a_step = self.events.iter().filter_map(|event| match *event {
            Event::Eval { step, val_loss, .. } | Event::Final { step, val_loss, .. } => {
                Some(ValidationLoss { steps: step + 1, loss: val_loss })
            }
            _ => None,
        });
        after_a_step.filter(|at| at.loss.is_finite()).min_by(|a, b| a.loss.total_cmp(&b.loss))
    }

    fn losses(&self) -> impl Iterator<Item = ValidationLoss> {
        self.events.iter().filter_map(|event| match *event {
            Event::Initial { val_loss, .. } => Some(ValidationLoss { steps: 0, loss: val_loss }),
            Event::Eval { step, val_loss, .. } | Event::Final { step, val_loss, .. } => {
                Some(ValidationLoss { steps: step + 1, loss: val_loss })
            }
            _ => None,
        })
    }

    /// Loss of the finished model on the validation part, in nats a token; none without a last evaluation.
    #[must_use]
    pub fn token_loss(&self) -> Option<f64> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Final { val_token_loss, .. } => Some(*val_token_loss),
            _ => None,
        })
    }

    /// Perplexity of the finished model on the validation part; none without a last evaluation.
    #[must_use]
    pub fn perplexity(&self) -> Option<f64> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Final { val_perplexity, .. } => Some(*val_perplexity),
            _ => None,
        })
    }
}

/// How far a run came that nobody is at work on.
fn state_of(path: &Path, settings: &toml::Table, events: &[Event]) -> RunState {
    let is_set = |key, without| settings.get(key).and_then(toml::Value::as_bool).unwrap_or(without);
    let resumable = checkpoint::is_stored(path);
    let ended = events.iter().rev().find_map(|event| match event {
        Event::End { interrupted, problem, .. } => Some((*interrupted, problem)),
        _ => None,
    });
    match ended {
        None | Some((true, _)) => return RunState::Interrupted { resumable },
        Some((_, Some(problem))) => return RunState::Failed(problem.clone()),
        Some((false, None)) => {}
    }
    let was_measured = events.iter().any(|event| matches!(event, Event::Final { .. }));
    // Training from scratch, which has a text, makes no last evaluation.
    if !was_measured && is_set("eval", !settings.contains_key("text")) {
        // Broken off within the last evaluation.
        return RunState::Interrupted { resumable };
    }
    // The state is removed when all that a run leaves is written.
    let is_written = path.join("report.html").is_file() && (!is_set("respond", false) || path.join(ANSWERS).is_file());
    if resumable && !(is_set("keep_checkpoint", false) && is_written) {
        return RunState::Interrupted { resumable };
    }
    RunState::Complete
}

fn steps(events: &[Event]) -> usize {
    let taken = events.iter().rev().find_map(|event| match event {
        Event::Step { step, .. } => Some(step + 1),
        _ => None,
    });
    taken.unwrap_or(0)
}

/// What the run set out for, or was extended to: that changes the settings alone.
fn all_steps(settings: &toml::Table, events: &[Event]) -> Option<usize> {
    let (steps, steps_per_epoch) = events.iter().find_map(|event| match event {
        Event::Start { steps, steps_per_epoch, .. } => Some((*steps, *steps_per_epoch)),
        _ => None,
    })?;
    let number = |key| usize::try_from(settings.get(key)?.as_integer()?).ok();
    let Some(epochs) = number("epochs") else { return Some(steps) };
    let all = steps_per_epoch.saturating_mul(epochs);
    Some(number("max_steps").filter(|&most| most > 0).map_or(all, |most| all.min(most)))
}

/// Whether a process has the run, which has its metrics locked until it ends.
fn is_locked(metrics: &Path) -> bool {
    // Shared, so that two who look do not take each other for one; given back when the file is closed.
    File::open(metrics).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The events up to a line that is none, and what is wrong with that.
fn events_of(metrics: &Path) -> (Vec<Event>, Option<String>) {
    let text = match fs::read(metrics) {
        Ok(text) => text,
        Err(error) => return (Vec::new(), Some(format!("metrics.jsonl cannot be read: {error}"))),
    };
    let mut events = Vec::new();
    for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) if line.trim_ascii().is_empty() || !line.ends_with(b"\n") => {}
            Err(error) => return (events, Some(format!("metrics.jsonl, line {} is no event: {error}", index + 1))),
        }
    }
    (events, None)
}

fn settings_of(config: &Path) -> Result<toml::Table, String> {
    let text = fs::read_to_string(config).map_err(|error| format!("config.toml cannot be read: {error}"))?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("config.toml, line {line}: {}", error.message())
    })
}

fn scores_of(scores: &Path) -> Result<Option<Value>, String> {
    match fs::read(scores) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| format!("scores.json is no JSON: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("scores.json cannot be read: {error}")),
    }
}

/// When a run was begun. Its metrics were created then, and only grew since, but a copy is younger; its settings were
/// written then, and a copy keeps their time, but whoever goes on with the run writes them anew. The earlier one is nearer.
fn begun(config: &Path, metrics: &Path) -> Option<SystemTime> {
    let created = fs::metadata(metrics).and_then(|file| file.created()).ok();
    let modified = fs::metadata(config).and_then(|file| file.modified()).ok();
    created.into_iter().chain(modified).min()
}

fn name_of(path: &Path) -> String {
    // `.` has a name too.
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().or(whole.file_name()).unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::RunFolder;

    const CONFIG: &str = "data = \"d.json\"\nepochs = 2\nmodel = \"gpt2\"\n";

    /// Two epochs of two steps with an evaluation after each, up to the last evaluation.
    fn events(steps: usize) -> Vec<Event> {
        let mut events = vec![
            Event::Start { epochs: 2, steps_per_epoch: 2, steps: 4, parameters: 9, train_examples: 4, val_examples: 2 },
            Event::Initial { train_loss: 5.0, val_loss: 4.0 },
        ];
        for step in 0..steps {
            events.push(step_event(step));
            if step % 2 == 1 {
                // The lowest is that after the first epoch.
                events.push(eval(step, 2.0 + step as f64 / 8.0));
            }
        }
        events
    }

    fn step_event(step: usize) -> Event {
        Event::Step {
            epoch: step / 2 + 1,
            step,
            loss: 3.0,
            lr: 0.1,
            groups: BTreeMap::new(),
            tokens: 3,
            padded_tokens: 4,
            seconds: 0.5,
            grad_norm: None,
            loss_scale: None,
            skipped: false,
        }
    }

    fn eval(step: usize, val_loss: f64) -> Event {
        Event::Eval { epoch: step / 2 + 1, step, tokens_seen: 4, train_loss: 1.0, val_loss }
    }

    fn last() -> Event {
        Event::Final { step: 3, train_loss: 1.0, val_loss: 2.25, val_token_loss: 2.5, val_perplexity: 12.0 }
    }

    fn end(interrupted: bool) -> Event {
        Event::End { seconds: 7.0, peak_memory_bytes: None, interrupted, out_of_patience: false, problem: None }
    }

    fn write(path: &Path, config: &str, events: &[Event]) {
        let run = RunFolder::create(path, config).unwrap();
        events.iter().try_for_each(|event| run.append(event)).unwrap();
    }

    /// The state of a run with these settings besides, these events, and these files and folders.
    fn state(settings: &str, events: &[&[Event]], there: &[&str]) -> RunState {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &format!("{CONFIG}{settings}"), &events.concat());
        for name in there {
            let path = folder.path().join(name);
            if name.contains('.') { fs::write(path, "").unwrap() } else { fs::create_dir(path).unwrap() }
        }
        RunSummary::read(folder.path()).unwrap().state
    }

    #[test]
    fn a_run_is_complete_when_all_that_it_leaves_is_written() {
        let whole: &[&[Event]] = &[&events(4), &[last(), end(false)]];
        assert_eq!(state("", whole, &["report.html"]), RunState::Complete);
        let left = RunState::Interrupted { resumable: true };
        // Killed or stopped while it answered.
        assert_eq!(state("", whole, &["report.html", "checkpoint"]), left);
        let keeps = "keep_checkpoint = true\n";
        assert_eq!(state(keeps, whole, &["report.html", "checkpoint"]), RunState::Complete);
        assert_eq!(state(keeps, whole, &["checkpoint"]), left);
        let answers = &format!("{keeps}respond = true\n");
        assert_eq!(state(answers, whole, &["report.html", "checkpoint"]), left);
        let written = ["report.html", "checkpoint", "instruction-data-with-response.json"];
        assert_eq!(state(answers, whole, &written), RunState::Complete);
        // Without evaluations.
        let steps: Vec<Event> = (0..4).map(step_event).collect();
        assert_eq!(state("eval = false\n", &[&events(0)[..1], &steps, &[end(false)]], &[]), RunState::Complete);
    }

    #[test]
    fn a_run_that_was_broken_off_tells_whether_it_can_be_gone_on_with() {
        for (there, resumable) in [(&[][..], false), (&["checkpoint"], true), (&["checkpoint-old"], true)] {
            let interrupted = RunState::Interrupted { resumable };
            assert_eq!(state("", &[&events(3)], there), interrupted, "killed");
            assert_eq!(state("", &[], there), interrupted, "killed at once");
            assert_eq!(state("", &[&events(3), &[end(true)]], there), interrupted, "stopped");
            assert_eq!(state("", &[&events(4), &[end(false)]], there), interrupted, "stopped at the last evaluation");
        }
    }

    #[test]
    fn a_run_that_ended_by_what_is_no_number_failed() {
        let problem = "the loss of step 3 is not a number";
        let end = Event::End {
            seconds: 7.0,
            peak_memory_bytes: None,
            interrupted: false,
            out_of_patience: false,
            problem: Some(problem.to_owned()),
        };
        assert_eq!(state("", &[&events(3), &[end]], &["checkpoint"]), RunState::Failed(problem.to_owned()));
        // One whose patience ended has come to its end.
        let end = Event::End {
            seconds: 7.0,
            peak_memory_bytes: None,
            interrupted: false,
            out_of_patience: true,
            problem: None,
        };
        assert_eq!(state("", &[&events(2), &[last(), end]], &["report.html"]), RunState::Complete);
    }

    #[test]
    fn a_run_that_is_going_on_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, CONFIG).unwrap();
        run.append(&events(0)[0]).unwrap();
        let read = || RunSummary::read(&path).unwrap();
        assert_eq!((read().state, read().all_steps()), (RunState::Running, Some(4)));
        run.append(&events(0)[1]).unwrap();
        assert_eq!(read().events.len(), 2);
        drop(run);
        // Nor is it kept from anyone by somebody who looks again and again.
        std::thread::scope(|scope| {
            let looks = scope.spawn(|| (0..500).for_each(|_| drop(read())));
            while !looks.is_finished() {
                drop(RunFolder::reopen(&path).unwrap());
            }
        });
        assert_eq!(read().state, RunState::Interrupted { resumable: false });
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        write(&path, CONFIG, &[&events(4)[..], &[last(), end(false)]].concat());
        let metrics = fs::read_to_string(path.join("metrics.jsonl")).unwrap();
        let state = || RunSummary::read(&path).unwrap().state;
        let damage = || match state() {
            RunState::Damaged(what) => what,
            other => panic!("{other:?}"),
        };
        // Cut off within a letter.
        fs::write(path.join("metrics.jsonl"), [metrics.as_bytes(), b"{\"event\":\"\xc3"].concat()).unwrap();
        assert_eq!(state(), RunState::Complete);
        fs::write(path.join("metrics.jsonl"), metrics.replacen("\"epoch\"", "\"epohc\"", 1)).unwrap();
        assert!(damage().contains("metrics.jsonl, line 3 is no event: missing field `epoch`"), "{}", damage());
        assert_eq!(RunSummary::read(&path).unwrap().events, events(0));
        fs::write(path.join("metrics.jsonl"), metrics).unwrap();
        fs::write(path.join("scores.json"), "{\"overall\":").unwrap();
        assert!(damage().contains("scores.json is no JSON"), "{}", damage());
        fs::write(path.join("scores.json"), "{\"overall\":1}").unwrap();
        assert_eq!(RunSummary::read(&path).unwrap().scores, Some(serde_json::json!({"overall": 1})));
        fs::write(path.join("config.toml"), "lr = 1\nlr = 2\n").unwrap();
        assert!(damage().contains("config.toml, line 2: "), "{}", damage());
        let run = RunSummary::read(&path).unwrap();
        assert_eq!((run.model(), run.all_steps(), run.perplexity()), (None, Some(4), Some(12.0)));
    }

    #[test]
    fn losses_and_durations_are_those_of_the_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        write(&path, CONFIG, &[&events(4)[..], &[last(), end(false)]].concat());
        let run = RunSummary::read(&path).unwrap();
        let loss = |steps, loss| Some(ValidationLoss { steps, loss });
        assert_eq!((run.first_loss(), run.best_loss()), (loss(0, 4.0), loss(2, 2.125)));
        assert_eq!(run.last_loss(), loss(4, 2.25));
        assert_eq!((run.token_loss(), run.perplexity()), (Some(2.5), Some(12.0)));
        assert_eq!((run.steps(), run.seconds(), run.step_seconds()), (4, Some(7.0), 2.0));
        assert_eq!((run.name.as_str(), run.model(), run.data()), ("run", Some("gpt2"), Some("d.json")));
        let nothing = RunSummary { events: Vec::new(), ..run };
        assert_eq!((nothing.steps(), nothing.all_steps(), nothing.seconds()), (0, None, None));
        assert_eq!((nothing.first_loss(), nothing.last_loss(), nothing.best_loss()), (None, None, None));
        let own = RunSummary { settings: "data = \"sample\"\ntrain_data = \"t.json\"".parse().unwrap(), ..nothing };
        assert_eq!(own.data(), Some("t.json"));
    }

    #[test]
    fn runs_are_listed_from_the_oldest_on_and_a_damaged_one_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, age) in [("a", 100), ("b", 300), ("c", 200), ("damaged", 50)] {
            let path = folder.path().join(name);
            write(&path, if name == "damaged" { "?" } else { CONFIG }, &[]);
            let config = File::options().append(true).open(path.join("config.toml")).unwrap();
            config.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        fs::create_dir(folder.path().join("model")).unwrap();
        let runs = RunSummary::list(folder.path()).unwrap();
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["b", "c", "a", "damaged"]);
        assert!(matches!(runs[3].state, RunState::Damaged(_)));
        assert!(matches!(RunSummary::list(&folder.path().join("none")), Err(RunError::Read { .. })));
        let error = RunSummary::read(&folder.path().join("model")).unwrap_err().to_string();
        assert!(error.contains("model is not the folder of a run"), "{error}");
        // Going on with a run writes its settings anew.
        let config = folder.path().join("a/config.toml");
        let later = now + Duration::from_secs(100);
        File::options().append(true).open(&config).unwrap().set_modified(later).unwrap();
        if fs::metadata(folder.path().join("a/metrics.jsonl")).unwrap().created().is_ok() {
            let begun = RunSummary::read(&folder.path().join("a")).unwrap().started.unwrap();
            assert!(begun < later && begun > now - Duration::from_mins(1), "{begun:?}");
        }
    }

    #[test]
    fn settings_differ_where_runs_have_other_values() {
        let folder = tempfile::tempdir().unwrap();
        let settings = ["lr = 0.1\nseed = 1\nold = 1", "lr = 0.2\nseed = 1\nnew = \"x\"", "lr = 0.1\nseed = 1", "?"];
        let runs: Vec<RunSummary> = (0..settings.len())
            .map(|index| {
                let path = folder.path().join(index.to_string());
                write(&path, settings[index], &[]);
                RunSummary::read(&path).unwrap()
            })
            .collect();
        let float = |number| Some(toml::Value::Float(number));
        let wanted = vec![
            ("lr".to_owned(), vec![float(0.1), float(0.2), float(0.1), None]),
            ("new".to_owned(), vec![None, Some(toml::Value::String("x".to_owned())), None, None]),
            ("old".to_owned(), vec![Some(toml::Value::Integer(1)), None, None, None]),
        ];
        assert_eq!(RunSummary::differing(&runs), wanted);
        assert_eq!(RunSummary::differing(&[runs[0].clone(), runs[3].clone()]), []);
        assert_eq!(RunSummary::differing(&[]), []);
    }
}
