//! Event files, read by `tensorboard` itself.
//!
//! These need a Python that has it in `GPTUNE_PYTHON`; `cargo xtask ci` runs them with one.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use gptune_run::{Event, Sink, TensorBoard};
use serde_json::{Value, json};

/// The readers that `tensorboard` has.
const READERS: [&str; 3] = ["accumulator", "page", "server"];
/// Steps of an epoch, and of the run.
const EPOCH: usize = 4;
const STEPS: usize = 8;

/// A run that evaluates after every other step and at its end.
fn run(steps: usize) -> Vec<Event> {
    let mut events = vec![
        Event::Start {
            epochs: steps / EPOCH,
            steps_per_epoch: EPOCH,
            steps,
            parameters: 9,
            train_examples: 8,
            val_examples: 2,
        },
        Event::Initial { train_loss: 4.0, val_loss: 5.0 },
    ];
    for step in 0..steps {
        let (epoch, skipped) = (step / EPOCH + 1, step == 2);
        events.push(Event::Step {
            epoch,
            step,
            loss: 3.0 - step as f64 / 16.0,
            lr: 0.0,
            groups: std::collections::BTreeMap::new(),
            tokens: 30,
            padded_tokens: 32,
            seconds: 0.5,
            grad_norm: Some(if skipped { f64::INFINITY } else { 0.25 }),
            loss_scale: Some(65536.0),
            skipped,
        });
        if step % 2 == 1 {
            let (train_loss, val_loss) = (2.0 - step as f64 / 16.0, if step == 3 { f64::NAN } else { 2.5 });
            events.push(Event::Eval { epoch, step, tokens_seen: 32 * (step + 1), train_loss, val_loss });
        }
        if (step + 1) % EPOCH == 0 {
            let text = format!("\n### Instruction:\n<b> & *now*\n\n\tafter epoch {epoch}\n```\n");
            events.push(Event::Sample { epoch, ids: vec![1, 2], text });
        }
    }
    events.push(Event::Final {
        step: steps - 1,
        train_loss: 1.0,
        val_loss: 1.5,
        val_token_loss: 1.25,
        val_perplexity: 3.5,
    });
    events.push(Event::End {
        seconds: 9.0,
        peak_memory_bytes: None,
        interrupted: false,
        out_of_patience: false,
        problem: None,
    });
    events
}

/// The number of events up to the stored state after this many steps.
fn stored(events: &[Event], steps: usize) -> usize {
    let is_later = |event: &Event| match event {
        Event::Step { step, .. } => *step >= steps,
        // It is made by whoever goes on.
        Event::Sample { epoch, .. } => epoch * EPOCH >= steps,
        Event::Final { .. } | Event::End { .. } => true,
        Event::Start { .. } | Event::Initial { .. } | Event::Eval { .. } => false,
    };
    events.iter().position(is_later).unwrap()
}

/// A process that goes on after the first `past` events and is killed after the first `until`, or ends.
fn write(folder: &Path, events: &[Event], past: usize, until: usize) {
    let mut board = TensorBoard::create(folder, &events[..past]).unwrap();
    events[past..until].iter().try_for_each(|event| board.event(event)).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(folder: &Path) -> Value {
    let python = std::env::var_os("GPTUNE_PYTHON").expect("GPTUNE_PYTHON names a Python that has tensorboard");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/read_tensorboard.py");
    let output = Command::new(python).arg(script).arg(folder).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// That each reader finds the same in two folders.
fn assert_same(found: &Value, wanted: &Value, what: &str) {
    for reader in READERS {
        assert_eq!(found[reader]["scalars"], wanted[reader]["scalars"], "{what}: {reader}");
        // It drops no text.
        if reader != "accumulator" {
            assert_eq!(found[reader]["texts"], wanted[reader]["texts"], "{what}: {reader}");
        }
    }
}

#[test]
#[ignore = "needs a Python with tensorboard in GPTUNE_PYTHON; cargo xtask ci has one"]
fn tensorboard_reads_every_number_at_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let events = run(EPOCH);
    write(folder.path(), &events, 0, events.len());
    let found = read(folder.path());
    for reader in READERS {
        let (scalars, texts) = (&found[reader]["scalars"], &found[reader]["texts"]);
        assert_eq!(scalars["train/loss"], json!([[1, 3.0], [2, 2.9375], [3, 2.875], [4, 2.8125]]), "{reader}");
        assert_eq!(scalars["train/learning_rate"], json!([[1, 0.0], [2, 0.0], [3, 0.0], [4, 0.0]]), "{reader}");
        assert_eq!(scalars["train/grad_norm"], json!([[1, 0.25], [2, 0.25], [3, "inf"], [4, 0.25]]), "{reader}");
        let tokens_per_second = &scalars["train/tokens_per_second"];
        assert_eq!(*tokens_per_second, json!([[1, 60.0], [2, 60.0], [3, 60.0], [4, 60.0]]), "{reader}");
        assert_eq!(scalars["train/loss_scale"][0], json!([1, 65536.0]), "{reader}");
        // The data server takes the last of two at one step.
        let (val_loss, train_loss) = if reader == "server" {
            (json!([[0, 5.0], [2, 2.5], [4, 1.5]]), json!([[0, 4.0], [2, 1.9375], [4, 1.0]]))
        } else {
            (json!([[0, 5.0], [2, 2.5], [4, "nan"], [4, 1.5]]), json!([[0, 4.0], [2, 1.9375], [4, 1.8125], [4, 1.0]]))
        };
        assert_eq!((&scalars["eval/val_loss"], &scalars["eval/train_loss"]), (&val_loss, &train_loss), "{reader}");
        assert_eq!(scalars["eval/val_token_loss"], json!([[4, 1.25]]), "{reader}");
        assert_eq!(scalars["eval/val_perplexity"], json!([[4, 3.5]]), "{reader}");
        assert_eq!(scalars.as_object().unwrap().len(), 9, "{reader}");
        let html = texts["sample"][0][1].as_str().unwrap();
        let wanted = "\n### Instruction:\n&lt;b&gt; &amp; *now*\n\n    after epoch 1\n```\n";
        assert_eq!(html, format!("<pre><code>{wanted}</code></pre>"), "{reader}");
        assert_eq!(texts["sample"][0][0], 4, "{reader}");
    }
}

#[test]
#[ignore = "needs a Python with tensorboard in GPTUNE_PYTHON; cargo xtask ci has one"]
fn tensorboard_shows_a_resumed_run_as_one_that_was_not() {
    let events = run(STEPS);
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), &events, 0, events.len());
    let wanted = read(whole.path());
    // Before anything was stored, within an epoch, and at the end of one.
    for steps in [0, 2, 3, EPOCH] {
        let folder = tempfile::tempdir().unwrap();
        let killed = stored(&events, 7);
        let past = if steps == 0 { 0 } else { stored(&events, steps) };
        write(folder.path(), &events, 0, killed);
        // Within a record.
        let [file] = &files(folder.path())[..] else { panic!("one process, one file") };
        let file = File::options().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() - 5).unwrap();
        // Killed once more, and within the same second.
        write(folder.path(), &events, past, killed - 2);
        write(folder.path(), &events, past, events.len());
        assert_eq!(files(folder.path()).len(), 3);
        assert_same(&read(folder.path()), &wanted, &format!("after {steps} steps"));
    }
}

#[test]
#[ignore = "needs a Python with tensorboard in GPTUNE_PYTHON; cargo xtask ci has one"]
fn tensorboard_shows_a_run_that_was_extended_as_one_of_that_length() {
    let (short, long) = (run(EPOCH), run(STEPS));
    let (whole, extended) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(whole.path(), &long, 0, long.len());
    write(extended.path(), &short, 0, short.len());
    write(extended.path(), &long, stored(&long, EPOCH), long.len());
    let (wanted, mut found) = (read(whole.path()), read(extended.path()));
    // The data server drops what comes again; the shorter run's end does not, and stays.
    for tag in ["eval/val_token_loss", "eval/val_perplexity"] {
        let points = found["server"]["scalars"][tag].as_array_mut().unwrap();
        assert_eq!(points.remove(0)[0], EPOCH);
    }
    assert_same(&found, &wanted, "extended");
}
