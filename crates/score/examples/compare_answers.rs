//! Scores the answers of two models to the same questions, with intervals, and compares them pair by pair.

use gptune_score::{Answered, Estimate, Responses, ScoreError, ScoreOptions, compare, score};

const CAPITALS: &str = "France Paris, Japan Tokyo, Kenya Nairobi, Peru Lima, Norway Oslo, Egypt Cairo, Cuba Havana, \
                        Spain Madrid, Ghana Accra, Chile Santiago, Iran Tehran, Nepal Kathmandu";

/// A file of answers, such as `Responses::read` gives.
fn answers(name: &str, answer: impl Fn(usize, &str, &str) -> String) -> Responses {
    let pairs = CAPITALS.split(", ").filter_map(|pair| pair.split_once(' '));
    let entries = pairs.enumerate().map(|(index, (country, capital))| Answered {
        instruction: format!("What is the capital of {country}?"),
        input: String::new(),
        output: format!("The capital of {country} is {capital}."),
        model_response: answer(index, country, capital),
        kind: None,
    });
    Responses { origin: name.to_owned(), entries: entries.collect() }
}

fn main() -> Result<(), ScoreError> {
    let before = answers("before", |_, country, _| format!("The capital of {country} is a city in {country}."));
    let after = answers("after", |index, country, capital| match index % 4 {
        0 => format!("the capital of {country} is {capital}"),
        1 => format!("{capital} is the capital of {country}."),
        2 => format!("The capital of {country} is Atlantis."),
        _ => format!("The capital of {country} is {capital}."),
    });
    let options = ScoreOptions::default();
    let [old, new] = [&before, &after].map(|file| score(file, &options).overall.metrics.into_array());
    let both = compare(&after, &before, &options)?.overall.metrics.into_array();
    println!("{:12}{:22}{:22}{:22}wins, ties, losses", "", "before", "after", "difference");
    for (metric, name) in ["exact", "normalized", "token_f1", "rouge_l"].iter().enumerate() {
        let show = |Estimate { mean, low, high }: Estimate| format!("{mean:.2} ({low:.2} to {high:.2})");
        let [before, after, difference] = [old[metric], new[metric], both[metric].estimate].map(show);
        let gptune_score::Difference { wins, ties, losses, p_value, .. } = both[metric];
        println!("{name:12}{before:22}{after:22}{difference:22}{wins}, {ties}, {losses} (p = {p_value:.4})");
    }
    Ok(())
}
