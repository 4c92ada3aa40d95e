//! How long a large file takes; `cargo test --release -p gptune-score -- --ignored --nocapture`.

use std::time::Instant;

use gptune_score::{Answered, Responses, ScoreOptions, compare, score};

#[test]
#[ignore = "measures"]
fn fifty_thousand_answers() {
    let entry = |index: usize, shift: usize| {
        let words = |from: usize| (0..40).map(|i| format!("word{}", (from + i * i) % 97)).collect::<Vec<_>>().join(" ");
        Answered {
            instruction: "i".to_owned(),
            input: index.to_string(),
            output: words(index),
            model_response: words(index + index % shift),
            kind: Some(format!("kind {}", index % 10)),
        }
    };
    let file = |shift| Responses {
        origin: "made up".to_owned(),
        entries: (0..50_000).map(|index| entry(index, shift)).collect(),
    };
    let (first, second) = (file(2), file(3));
    let started = Instant::now();
    let scores = score(&first, &ScoreOptions::default());
    println!("score: {:.2} s, F1 {:?}", started.elapsed().as_secs_f64(), scores.overall.metrics.token_f1);
    let started = Instant::now();
    let compared = compare(&first, &second, &ScoreOptions::default()).unwrap();
    println!("compare: {:.2} s, F1 {:?}", started.elapsed().as_secs_f64(), compared.overall.metrics.token_f1);
}
