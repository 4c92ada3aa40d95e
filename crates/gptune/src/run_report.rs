//! What a run leaves for people to judge it by: scores, and a page to look at.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use gptune_data::{Example, Part, Tokenizer};
use gptune_report::{Answer, DataFacts, Metric, Reply, RunReport, Scale};
use gptune_run::{Event, RunFolder};
use gptune_score::{Answered, Comparison, Difference, Group, Metrics, Responses, Scores};
use gptune_train::{Ending, Prepared};

use crate::{
    RunConfig,
    device::Chosen,
    scores::{self, ScoreReport},
    text::quoted,
};

/// Test examples and a model's answers, after training to all of them and before it to the first ones or none.
pub(crate) struct Asked<'a> {
    pub examples: &'a [Example],
    pub before: &'a [String],
    pub after: &'a [String],
}

impl Asked<'_> {
    /// Scores of the answers, and the comparison with those before training if all were asked then; none without
    /// an answer.
    pub(crate) fn scores(&self) -> Result<Option<ScoreReport>> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let all_before = self.before.len() == self.after.len();
        let before = all_before.then(|| responses("before training", self.examples, self.before));
        scores::report(responses("after training", self.examples, self.after), before).map(Some)
    }

    fn answers(&self) -> Vec<Answer> {
        let reply = |wanted: &str, text: &String| Reply {
            text: text.clone(),
            right: Metrics::of(wanted, text).normalized == 1.0,
        };
        let items = self.examples.iter().zip(self.after).enumerate();
        let answer = |(index, (example, after)): (usize, (&Example, &String))| Answer {
            entry: example.place.index,
            instruction: example.instruction().to_owned(),
            input: example.input().to_owned(),
            expected: example.output().to_owned(),
            kind: kind(example),
            before: self.before.get(index).map(|before| reply(example.output(), before)),
            after: reply(example.output(), after),
        };
        items.map(answer).collect()
    }
}

fn responses(origin: &str, examples: &[Example], answers: &[String]) -> Responses {
    let answered = |(example, answer): (&Example, &String)| Answered {
        instruction: example.instruction().to_owned(),
        input: example.input().to_owned(),
        output: example.output().to_owned(),
        model_response: answer.clone(),
        kind: kind(example),
    };
    Responses { origin: origin.to_owned(), entries: examples.iter().zip(answers).map(answered).collect() }
}

fn kind(example: &Example) -> Option<String> {
    example.entry.get("kind").and_then(|kind| gptune_json::text(kind.as_str()?).ok()).map(str::to_owned)
}

/// What is known of a run from its beginning on.
pub(crate) struct Facts<'a> {
    pub started: jiff::ZonedDateTime,
    pub data: &'a Prepared,
    pub tokenizer: &'a Tokenizer,
    /// Digest of their bytes.
    pub fingerprint: &'a str,
    pub chosen: &'a Chosen,
}

/// The page of a run.
///
/// # Errors
///
/// If the configuration cannot be written as TOML.
pub(crate) fn page(
    run: &RunFolder,
    config: &RunConfig,
    facts: &Facts<'_>,
    events: &[Event],
    ending: Ending,
    asked: &Asked<'_>,
    scores: Option<&ScoreReport>,
) -> Result<String> {
    let Facts { started, data, fingerprint, chosen, tokenizer: _ } = facts;
    let name = run.path().file_name().unwrap_or(run.path().as_os_str()).to_string_lossy().into_owned();
    let part = |part| data.count(part);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, count) in data.corpora().iter().flat_map(|corpus| &corpus.kinds) {
        *kinds.entry(kind.clone()).or_default() += count;
    }
    let report = RunReport {
        title: name,
        started: started.strftime("%-d %B %Y, %H:%M").to_string(),
        version: format!("gptune {}", env!("CARGO_PKG_VERSION")),
        machine: machine(),
        device: format!("{} ({})", config.source.device, chosen.description),
        model: config.source.model.clone(),
        command: format!("gptune train --recipe {}", quoted(&run.join("config.toml").display().to_string())),
        config_toml: config.to_toml()?,
        data: DataFacts {
            name: data.origin.clone(),
            fingerprint: (*fingerprint).to_owned(),
            train: part(Part::Train),
            val: part(Part::Val),
            test: part(Part::Test),
            kinds: kinds.into_iter().collect(),
        },
        events: events.to_vec(),
        warning: match ending {
            Ending::NotFinite(what) => {
                let what = what.to_string();
                let (first, rest) = what.split_at(1);
                Some(format!("{}{rest}; the model is the one before.", first.to_uppercase()))
            }
            Ending::Completed | Ending::OutOfPatience | Ending::Interrupted => None,
        },
        answers: asked.answers(),
        marking:
            "An answer is right if it matches the wanted text after normalisation: capitals, white space, closing \
                  punctuation and quotation marks around the whole do not count."
                .to_owned(),
        scores: scores.map(shown),
    };
    Ok(report.to_html())
}

/// Scores as the page shows them.
fn shown(report: &ScoreReport) -> gptune_report::Scores {
    const NAMES: [&str; 4] = ["Normalized match", "Exact match", "Token F1", "ROUGE-L"];
    let pick = |metrics: [gptune_report::Score; 4]| {
        let [exact, normalized, token_f1, rouge_l] = metrics;
        [normalized, exact, token_f1, rouge_l]
    };
    let (after, before) = (&report.scores, report.before());
    let overall = pick(score_of(
        &after.overall,
        before.map(|(scores, _)| &scores.overall),
        before.map(|(_, difference)| &difference.overall),
    ));
    let kinds: Vec<_> = after
        .kinds
        .iter()
        .map(|(kind, group)| {
            let before_group = before.and_then(|(scores, _)| scores.kinds.get(kind));
            let difference = before.and_then(|(_, difference)| difference.kinds.get(kind));
            (kind.clone(), pick(score_of(group, before_group, difference)))
        })
        .collect();
    let metric = |(index, name): (usize, &&str)| Metric {
        name: (*name).to_owned(),
        scale: Scale::Share,
        overall: overall[index],
        kinds: kinds.iter().map(|(kind, scores)| (kind.clone(), scores[index])).collect(),
    };
    gptune_report::Scores {
        about: format!(
            "Intervals are of 95 %: Wilson's for the shares of matches, and percentiles of the bootstrap over answers for the \
             rest and for differences ({} resamples, seed {}).",
            report.resamples, report.seed
        ),
        metrics: NAMES.iter().enumerate().map(metric).collect(),
    }
}

fn score_of(
    after: &Group<gptune_score::Estimate>,
    before: Option<&Group<gptune_score::Estimate>>,
    difference: Option<&Group<Difference>>,
) -> [gptune_report::Score; 4] {
    let estimate = |e: gptune_score::Estimate| gptune_report::Estimate { mean: e.mean, low: e.low, high: e.high };
    let before = before.map(|group| group.metrics.into_array());
    let difference = difference.map(|group| group.metrics.into_array());
    let after_all = after.metrics.into_array();
    std::array::from_fn(|index| gptune_report::Score {
        items: after.count,
        before: before.map(|all| estimate(all[index])),
        after: estimate(after_all[index]),
        difference: difference.map(|all| estimate(all[index].estimate)),
    })
}

/// The processor, its threads and the system.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let threads = rayon::current_num_threads();
    let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{}, {threads} threads, {system}", name.unwrap_or(architecture))
}

/// The line that a run ends with.
#[must_use]
pub fn summary(report: &ScoreReport) -> String {
    let per_cent =
        |e: &gptune_score::Estimate| format!("{:.1} % ({:.1} to {:.1})", 100.0 * e.mean, 100.0 * e.low, 100.0 * e.high);
    let count = report.scores.overall.count;
    let metrics = &report.scores.overall.metrics;
    let (after, exact) = (per_cent(&metrics.normalized), per_cent(&metrics.exact));
    match report.before() {
        Some((before, _)) => format!(
            "Normalized match on {count} test examples: {} before training, {after} after; exact match {exact} after; with \
             95 % intervals",
            per_cent(&before.overall.metrics.normalized)
        ),
        None => {
            format!("Normalized match on {count} test examples: {after}; exact match {exact}; with 95 % intervals")
        }
    }
}

impl ScoreReport {
    /// Scores before training, and the differences.
    fn before(&self) -> Option<(&Scores, &Comparison)> {
        self.other.as_ref().map(|other| (&other.against.scores, &other.difference))
    }
}

/// Scores as a file: what `gptune score --json` prints.
pub(crate) fn to_json(report: &ScoreReport) -> Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n").context("cannot write the scores")
}
