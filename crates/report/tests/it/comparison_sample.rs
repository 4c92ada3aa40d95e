//! Runs that could have been, side by side.

use gptune_report::{ComparedRun, Estimate, RunComparison, RunScore, Scale};
use gptune_run::Event;

/// What a run is like.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub name: &'static str,
    pub steps: usize,
    pub taken: usize,
    /// Padded tokens of a step.
    pub tokens: usize,
    pub every: usize,
    /// Where the validation loss would end, how many steps it takes to get near there, and how it rises afterwards.
    pub floor: f64,
    pub slope: f64,
    pub rise: f64,
    pub exact: Option<f64>,
}

pub(crate) const FOUR: [Made; 4] = [
    Made {
        name: "gpt2-small-sample",
        steps: 232,
        taken: 232,
        tokens: 560,
        every: 5,
        floor: 0.62,
        slope: 22.0,
        rise: 3e-4,
        exact: Some(0.36),
    },
    Made {
        name: "gpt2-small-lr-1e-4",
        steps: 232,
        taken: 232,
        tokens: 560,
        every: 5,
        floor: 0.56,
        slope: 12.0,
        rise: 8e-4,
        exact: Some(0.41),
    },
    Made {
        name: "batch-4",
        steps: 466,
        taken: 466,
        tokens: 280,
        every: 10,
        floor: 0.6,
        slope: 40.0,
        rise: 2e-4,
        exact: Some(0.38),
    },
    Made {
        name: "gpt2-medium-355m-alpaca-style-masked-instructions-seed-123-second-try",
        steps: 232,
        taken: 121,
        tokens: 560,
        every: 5,
        floor: 0.5,
        slope: 30.0,
        rise: 0.0,
        exact: None,
    },
];

/// Something that goes up and down without a generator of random numbers.
fn noise(step: usize) -> f64 {
    ((step * step * 31 + step * 17) % 97) as f64 / 97.0 - 0.5
}

pub(crate) fn events(made: Made) -> Vec<Event> {
    let Made { steps, taken, tokens, every, floor, slope, rise, .. } = made;
    let start = Event::Start {
        epochs: 2,
        steps_per_epoch: steps / 2,
        steps,
        parameters: 163_037_184,
        train_examples: 935,
        val_examples: 55,
    };
    let mut events = vec![start, Event::Initial { train_loss: 3.8259, val_loss: 3.7619 }];
    let val = |step: usize| {
        let at = step as f64;
        floor + 2.1 * (-at / slope).exp() + 0.3 * (-at / (4.0 * slope)).exp() + rise * at + 0.01 * noise(step)
    };
    let train = |step: usize| val(step) - 0.25 * (1.0 - (-(step as f64) / 80.0).exp()) - rise * step as f64;
    for step in 0..taken {
        events.push(Event::Step {
            epoch: 1 + step * 2 / steps.max(1),
            step,
            loss: train(step) + 0.25 * noise(step),
            lr: 5e-5,
            groups: std::collections::BTreeMap::new(),
            tokens: tokens * 4 / 5,
            padded_tokens: tokens,
            seconds: tokens as f64 / 520.0,
            grad_norm: None,
            loss_scale: None,
            skipped: false,
        });
        if step.is_multiple_of(every) {
            let tokens_seen = tokens * (step + 1);
            events.push(Event::Eval { epoch: 1, step, tokens_seen, train_loss: train(step), val_loss: val(step) });
        }
    }
    if taken == steps {
        let token_loss = val(steps) - 0.011;
        events.push(Event::Final {
            step: steps - 1,
            train_loss: train(steps),
            val_loss: val(steps),
            val_token_loss: token_loss,
            val_perplexity: token_loss.exp(),
        });
    }
    events.push(Event::End {
        seconds: taken as f64 * 1.1,
        peak_memory_bytes: None,
        interrupted: taken < steps,
        out_of_patience: false,
        problem: None,
    });
    events
}

pub(crate) fn run(made: Made) -> ComparedRun {
    let score = |name: &str, mean: f64| RunScore {
        name: name.to_owned(),
        scale: Scale::Share,
        items: 110,
        estimate: Estimate { mean, low: mean - 0.083, high: mean + 0.091 },
    };
    let scores = |exact: f64| {
        vec![
            score("Exact match", exact),
            score("Normalized match", exact + 0.045),
            score("Token F1", 0.5 + exact / 2.0),
            score("ROUGE-L", 0.52 + exact / 2.0),
        ]
    };
    ComparedRun {
        name: made.name.to_owned(),
        state: if made.taken < made.steps { "interrupted" } else { "completed" }.to_owned(),
        events: events(made),
        seconds: Some(made.taken as f64 * 1.1),
        scores: made.exact.map(scores).unwrap_or_default(),
    }
}

fn setting(name: &str, values: &[&str]) -> (String, Vec<Option<String>>) {
    let value = |value: &&str| (*value != "-").then(|| (*value).to_owned());
    (name.to_owned(), values.iter().map(value).collect())
}

/// Four runs, one of which was broken off and one of which has smaller batches.
pub(crate) fn four() -> RunComparison {
    RunComparison {
        version: "gptune 0.1.0".to_owned(),
        runs: FOUR.map(run).into(),
        settings: vec![
            setting("model", &["gpt2", "gpt2", "gpt2", "gpt2-medium"]),
            setting("data", &["sample", "sample", "sample", "/home/somebody/data/alpaca/alpaca_data_cleaned.json"]),
            setting("lr", &["0.00005", "0.0001", "0.00005", "0.00005"]),
            setting("batch_size", &["8", "8", "4", "8"]),
            setting("warmup", &["0.1", "0.1", "0.1", "-"]),
            setting("seed", &["123"; 4]),
            setting("epochs", &["2"; 4]),
        ],
        scoring:
            "Intervals are of 95 %: Wilson's for the shares of matches, and percentiles of the bootstrap over answers \
                  for the rest (10000 resamples, seed 0)."
                .to_owned(),
        notes: vec![
            "The data of run D are not those of A, so that their losses and scores cannot be compared.".to_owned(),
        ],
        incomparable: true,
    }
}

/// As many runs as a person would put on a page, the last of which goes astray.
pub(crate) fn twelve() -> RunComparison {
    let runs: Vec<_> = (0..12)
        .map(|index| {
            let made = Made {
                floor: 0.5 + 0.013 * f64::from(index * 5 % 12),
                slope: 12.0 + 3.0 * f64::from(index),
                rise: if index == 11 { 0.05 } else { 1e-4 * f64::from(index % 4) },
                exact: Some(0.3 + 0.01 * f64::from(index * 7 % 12)),
                taken: if index == 5 { 100 } else { 232 },
                ..FOUR[0]
            };
            ComparedRun { name: format!("gpt2-small-sample-lr-sweep-{}", index + 1), ..run(made) }
        })
        .collect();
    let rates: Vec<_> = (0..12).map(|index| Some(format!("{:.6}", 2e-5 * f64::from(index + 1)))).collect();
    let seeds: Vec<_> = (0..12).map(|index| Some((123 + index % 3).to_string())).collect();
    let data: Vec<_> = (0..12)
        .map(|index| Some(if index == 3 { "/data/alpaca/alpaca_cleaned.json" } else { "sample" }.to_owned()))
        .collect();
    let settings = vec![("data".to_owned(), data), ("lr".to_owned(), rates), ("seed".to_owned(), seeds)];
    RunComparison { runs, settings, notes: Vec::new(), incomparable: false, ..four() }
}
