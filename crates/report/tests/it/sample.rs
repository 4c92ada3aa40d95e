//! A run that could have been: 232 steps with 47 evaluations, and an answer to each of the 110 test items of the
//! built-in data. No model wrote the answers.

use gptune_report::{Answer, DataFacts, Estimate, Metric, Reply, RunReport, Scale, Score, Scores};
use gptune_run::Event;
use serde_json::Value;

pub(crate) const EVALUATIONS: usize = 47;
pub(crate) const ANSWERS: usize = 110;

pub(crate) fn report() -> RunReport {
    let entries: Vec<Value> = serde_json::from_str(include_str!("../../../gptune/assets/sample-data.json")).unwrap();
    let (train, test) = (935, ANSWERS);
    let answers = answers(&entries[train..train + test]);
    RunReport {
        title: "gpt2-small-sample".to_owned(),
        started: "2026-11-24 06:31 UTC".to_owned(),
        version: "gptune 0.1.0".to_owned(),
        machine: "8 cores, x86_64 with AVX-512, 16 GB of memory, Linux".to_owned(),
        device: "flex".to_owned(),
        model: "gpt2".to_owned(),
        command: "gptune train --recipe gpt2-small --data sample --respond".to_owned(),
        config_toml: CONFIG.to_owned(),
        data: DataFacts {
            name: "the built-in sample data".to_owned(),
            fingerprint: "sha256:7d0f6c3b1f0e4a52a5c6e9d7b8a4930261f5c7e8d9b0a1f2e3d4c5b6a7980123".to_owned(),
            train,
            val: entries.len() - train - test,
            test,
            kinds: kinds(entries.iter().filter_map(|entry| entry["kind"].as_str())),
        },
        events: events(),
        scores: Some(scores(&answers)),
        warning: None,
        answers,
        marking: "An answer is right if it is the wanted one word for word.".to_owned(),
    }
}

fn events() -> Vec<Event> {
    let start = Event::Start {
        epochs: 2,
        steps_per_epoch: 116,
        steps: 232,
        parameters: 163_037_184,
        train_examples: 935,
        val_examples: 55,
    };
    let mut events = vec![start, Event::Initial { train_loss: 3.825_9, val_loss: 3.761_9 }];
    let mut tokens_seen = 0;
    for step in 0..232_usize {
        let (epoch, at) = (1 + step / 116, step as f64);
        // Something that goes up and down without a generator of random numbers.
        let noise = ((step * step * 31 + step * 17) % 97) as f64 / 97.0 - 0.5;
        let loss = 0.35 + 2.4 * (-at / 24.0).exp() + 0.6 * (-at / 130.0).exp() + 0.25 * noise;
        let (tokens, padded_tokens) = (420 + step * 37 % 80, 520 + step * 53 % 120);
        tokens_seen += padded_tokens;
        events.push(Event::Step {
            epoch,
            step,
            loss,
            lr: 5e-5,
            groups: std::collections::BTreeMap::new(),
            tokens,
            padded_tokens,
            seconds: 0.9 + 0.2 * noise,
            grad_norm: None,
            loss_scale: None,
            skipped: false,
        });
        if step.is_multiple_of(5) {
            let train_loss = 0.33 + 2.3 * (-at / 24.0).exp() + 0.5 * (-at / 130.0).exp() + 0.04 * noise;
            let val_loss = 0.62 + 2.1 * (-at / 22.0).exp() + 0.3 * (-at / 90.0).exp() + 3e-4 * at;
            events.push(Event::Eval { epoch, step, tokens_seen, train_loss, val_loss });
        }
        if step % 116 == 115 {
            let answer =
                if epoch == 1 { "The meal is cooked every day." } else { "The meal is cooked by the chef every day." };
            let text = format!(
                "Below is an instruction that describes a task. Write a response that appropriately completes the \
                 request.\n\n### Instruction:\nConvert the active sentence to passive: 'The chef cooks the meal every \
                 day.'\n\n### Response:\n{answer}"
            );
            events.push(Event::Sample { epoch, ids: vec![21106, 318], text });
        }
    }
    events.push(Event::End {
        seconds: 251.8,
        peak_memory_bytes: Some(2_640_000_000),
        interrupted: false,
        out_of_patience: false,
        problem: None,
    });
    events
}

/// Before training nearly every answer is wrong, after it about two in five are right.
fn answers(entries: &[Value]) -> Vec<Answer> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let wrong = |index: usize, wanted: &str| match index % 4 {
        0 => String::new(),
        1 => format!("{wanted}\n\n### Instruction:\n{wanted}"),
        2 => text(&entries[(index * 7 + 3) % entries.len()], "output"),
        _ => "The following is an instruction. The following is an instruction.".to_owned(),
    };
    let answer = |(index, entry): (usize, &Value)| {
        let expected = text(entry, "output");
        let [before, after] = [index % 29 == 3, index * 5 % 12 < 5];
        let reply =
            |right: bool, index| Reply { text: if right { expected.clone() } else { wrong(index, &expected) }, right };
        Answer {
            entry: index,
            instruction: text(entry, "instruction"),
            input: text(entry, "input"),
            kind: entry["kind"].as_str().map(str::to_owned),
            before: Some(reply(before, index)),
            after: reply(after, 2 + 4 * index),
            expected: expected.clone(),
        }
    };
    entries.iter().enumerate().map(answer).collect()
}

fn scores(answers: &[Answer]) -> Scores {
    let names = kinds(answers.iter().filter_map(|answer| answer.kind.as_deref()));
    let of_kind = |kind: &str| answers.iter().filter(|answer| answer.kind.as_deref() == Some(kind)).collect::<Vec<_>>();
    let by_kind = |top: f64| names.iter().map(|(kind, _)| (kind.clone(), score(&of_kind(kind), top))).collect();
    let all: Vec<_> = answers.iter().collect();
    let metric = |name: &str, scale, top| Metric {
        name: name.to_owned(),
        scale,
        overall: score(&all, top),
        kinds: by_kind(top),
    };
    Scores {
        about: "Intervals hold the mean with 95% confidence; those of differences come from the items in pairs."
            .to_owned(),
        metrics: vec![metric("Exact match", Scale::Share, 1.0), metric("Judge", Scale::Points(100.0), 100.0)],
    }
}

/// Means with intervals wide enough to look like some.
fn score(answers: &[&Answer], top: f64) -> Score {
    let items = answers.len();
    let mean =
        |right: &dyn Fn(&Answer) -> bool| answers.iter().filter(|answer| right(answer)).count() as f64 / items as f64;
    let around = |mean: f64, lowest: f64| {
        let half = 1.96 * ((mean.abs() * (1.0 - mean.abs()) + 0.05) / items as f64).sqrt();
        Estimate { mean: mean * top, low: (mean - half).max(lowest) * top, high: (mean + half).min(1.0) * top }
    };
    let [before, after] =
        [mean(&|answer| answer.before.as_ref().is_some_and(|reply| reply.right)), mean(&|answer| answer.after.right)];
    Score {
        items,
        before: Some(around(before, 0.0)),
        after: around(after, 0.0),
        difference: Some(around(after - before, -1.0)),
    }
}

fn kinds<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut kinds = std::collections::BTreeMap::new();
    names.for_each(|name| *kinds.entry(name.to_owned()).or_insert(0) += 1);
    kinds.into_iter().collect()
}

const CONFIG: &str = "\
model = \"gpt2\"
data = \"sample\"
device = \"flex\"
precision = \"f32\"
seed = 123
order = \"torch\"
prompt_style = \"book\"
mask_instructions = false
max_length = 1024
train_limit = 0
epochs = 2
max_steps = 0
batch_size = 8
grad_accum = 1
max_grad_norm = 0.0
lr = 0.00005
weight_decay = 0.1
beta_1 = 0.9
beta_2 = 0.999
eps = 0.00000001
dropout = 0.0
tie_head = false
packing = true
prefix_sharing = true
eval = true
eval_every = 5
eval_batches = 5
sample_tokens = 50
respond = true
response_tokens = 256
preview = 110
";
