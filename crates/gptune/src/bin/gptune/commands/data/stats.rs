//! Counts of data, and what cutting and padding them would cost.

use anyhow::Result;
use gptune::{data, text::on_a_line};
use gptune_data::{BadEntry, Bar, Corpus, CorpusOptions, Statistics};
use serde_json::{Value, json};

use super::{super::print_json, Look};
use crate::{
    args::StatsArgs,
    console::{self, Plain, print_line},
};

/// Bad entries that are shown.
const SHOWN: usize = 5;

/// What is printed.
struct Found<'a> {
    corpus: &'a Corpus,
    statistics: &'a Statistics,
    look: &'a Look,
    args: &'a StatsArgs,
}

/// Without a token cache the ids of all records are in memory, as in training; with one they lie in its files, and the
/// counting itself needs 4 bytes a record.
pub(super) fn run(args: &StatsArgs) -> Result<()> {
    let look = Look::new(&args.look)?;
    let records = data::records(&args.look.data, &Plain)?;
    let reading = CorpusOptions { cache: args.token_cache.clone(), ..look.reading.clone() };
    let bar = console::bar(0, "entries");
    let corpus = Corpus::new(records, reading, &look.encoder(&args.look), |n| bar.inc(n));
    bar.finish_and_clear();
    let corpus = corpus?;
    let bar = console::bar(corpus.sequences.len() as u64, "sequences");
    let settings = (&look.template, &look.tokenizer);
    let collator = look.collator(&args.look);
    let statistics = Statistics::new(&corpus.sequences, &collator, settings, args.batch_size, |n| bar.inc(n));
    bar.finish_and_clear();
    let found = Found { corpus: &corpus, statistics: &statistics, look: &look, args };
    if args.json { print_json(&found.to_json()) } else { found.lines().iter().try_for_each(print_line) }
}

impl Found<'_> {
    fn max_length(&self) -> usize {
        self.look.kept(&self.args.look)
    }

    fn trained_share(&self) -> f64 {
        part(self.statistics.trained_tokens, self.statistics.positions)
    }

    fn ends_taught_share(&self) -> f64 {
        part(self.statistics.ends_taught as u64, self.statistics.sequences as u64)
    }

    fn to_json(&self) -> Value {
        let Self { corpus, statistics, look, args } = self;
        let bad = |BadEntry { place, problem, .. }: &BadEntry| json!({ "file": place.file.as_deref(), "entry": place.index, "line": place.line, "problem": problem });
        let mut all = json!({
            "data": corpus.origin,
            "records": corpus.records(),
            "readable": corpus.sequences.len(),
            "bad": corpus.bad.len(),
            "first_bad": corpus.bad.iter().take(SHOWN).map(bad).collect::<Vec<_>>(),
            "shapes": corpus.shapes().map(ToString::to_string).collect::<Vec<_>>(),
            "template": look.template.name(),
            "mask_instructions": args.look.mask_instructions,
            "kinds": corpus.kinds,
            "max_length": self.max_length(),
            "batch_size": args.batch_size,
            "trained_share": self.trained_share(),
            "ends_taught_share": self.ends_taught_share(),
        });
        if let (Value::Object(all), Value::Object(counts)) = (&mut all, json!(statistics)) {
            all.extend(counts);
        }
        all
    }

    fn lines(&self) -> Vec<String> {
        let Self { corpus, statistics, look, args } = self;
        let mut lines = vec![on_a_line(&corpus.origin)];
        let mut fact = |name: &str, fact: String| lines.push(format!("  {name:<12}  {fact}"));
        let bad = match corpus.bad.len() {
            0 => String::new(),
            bad => format!(", of which {} cannot be used", number(bad as u64)),
        };
        fact("entries", format!("{}{bad}", number(corpus.records() as u64)));
        for BadEntry { place, problem, .. } in corpus.bad.iter().take(SHOWN) {
            fact("", on_a_line(&format!("{place}: {problem}")));
        }
        if corpus.bad.len() > SHOWN {
            fact("", format!("and {} more", number((corpus.bad.len() - SHOWN) as u64)));
        }
        let mut shapes: Vec<String> = corpus.shapes().map(ToString::to_string).collect();
        shapes.dedup();
        fact("keys", on_a_line(&shapes.join("; ")));
        if !corpus.kinds.is_empty() {
            fact("kinds", kinds(corpus));
        }
        let loss = if args.look.mask_instructions { "the answers" } else { "all but the first token of each" };
        fact("template", format!("{}, trained on {loss}", look.template));
        let Some(lengths) = statistics.lengths else { return lines };
        fact("tokens", number(statistics.tokens));
        let share = percent(self.trained_share());
        let trained = number(statistics.trained_tokens);
        fact("trained", format!("{trained} of {} positions, {share}", number(statistics.positions)));
        let taught = percent(self.ends_taught_share());
        let of = number(statistics.sequences as u64);
        fact("ends taught", format!("{} of {of}, {taught}", number(statistics.ends_taught as u64)));
        if statistics.silent > 0 {
            fact("silent", format!("{}, of which nothing is trained", number(statistics.silent as u64)));
        }
        fact("cut", self.cut());
        let (data, sorted) = (percent(statistics.padding.data_order), percent(statistics.padding.length_order));
        let order = format!("in batches of {} in the order of the data, without packing", args.batch_size);
        fact("padding", format!("{data} {order}; {sorted} with --order length"));
        fact(
            "lengths",
            format!(
                "{} to {}, median {}, mean {:.1}; 90 % up to {}, 99 % up to {}",
                number(lengths.min.into()),
                number(lengths.max.into()),
                number(lengths.median.into()),
                lengths.mean,
                number(lengths.p90.into()),
                number(lengths.p99.into())
            ),
        );
        lines.push(String::new());
        lines.extend(histogram(&statistics.histogram));
        lines
    }

    fn cut(&self) -> String {
        let Statistics { cut, lose_end, lose_answer, .. } = *self.statistics;
        let max_length = number(self.max_length() as u64);
        match cut {
            0 => format!("none: no sequence is longer than {max_length} tokens"),
            _ => format!(
                "{} at {max_length} tokens: {} without the end, {} without a whole answer",
                number(cut as u64),
                number(lose_end as u64),
                number(lose_answer as u64)
            ),
        }
    }
}

/// The kinds, the most frequent first.
fn kinds(corpus: &Corpus) -> String {
    let mut kinds: Vec<_> = corpus.kinds.iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let all = kinds.iter().map(|(kind, count)| on_a_line(&format!("{kind} {}", number(**count as u64))));
    all.collect::<Vec<_>>().join(", ")
}

/// Characters of the longest bar.
const WIDTH: usize = 40;

/// A line for each bar, as long as it is high.
fn histogram(bars: &[Bar]) -> Vec<String> {
    let name = |bar: &Bar| match bar.to {
        Some(to) if to == bar.from => number(to.into()),
        Some(to) => format!("{}–{}", number(bar.from.into()), number(to.into())),
        None => format!("{} and more", number(bar.from.into())),
    };
    let names: Vec<String> = bars.iter().map(name).collect();
    let counts: Vec<String> = bars.iter().map(|bar| number(bar.count as u64)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let (longest_name, longest_count) = (widest(&names), widest(&counts));
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    let line = |((name, count), bar): ((&String, &String), &Bar)| {
        let drawn = "█".repeat((bar.count * WIDTH).div_ceil(most));
        format!("  {name:>longest_name$}  {count:>longest_count$}  {drawn}").trim_end().to_owned()
    };
    names.iter().zip(&counts).zip(bars).map(line).collect()
}

/// A share from 0 to 1; 0 of nothing.
fn part(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A count with a comma after every third digit from the right.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
