use anyhow::{Result, bail};
use gptune::data::records;
use gptune_data::{Check, Checked, Finding, Lengths, Severity};
use serde_json::{Map, Value, json};

use super::{super::print_json, Look};
use crate::{
    args::CheckArgs,
    console::{self, Plain, print_line},
};

/// Places of a finding that are shown.
const SHOWN: usize = 10;

pub(super) fn run(args: &CheckArgs) -> Result<()> {
    let look = Look::new(&args.look)?;
    let lengths = Lengths {
        max_length: look.kept(&args.look),
        context: look.context,
        mask_instructions: args.look.mask_instructions,
        prompts_only: false,
    };
    let (split, split_seed, threshold) = (args.split, args.split_seed, args.threshold);
    let (encoder, shape) = (look.encoder(&args.look), look.reading.shape.clone());
    let check = Check { encoder, lengths, shape, split, split_seed, threshold };
    let bar = console::bar(0, "records");
    let checked = check.run(&records(&args.look.data, &Plain)?, |n| bar.inc(n))?;
    bar.finish_and_clear();
    if args.json {
        print_json(&document(&checked))?;
    } else {
        tell(&checked)?;
    }
    let kinds = checked.findings.len();
    if args.strict && kinds > 0 {
        let kinds = if kinds == 1 { "1 kind of finding".to_owned() } else { format!("{kinds} kinds of findings") };
        bail!("{} has {kinds}, and --strict takes none", args.look.data);
    }
    Ok(())
}

fn document(checked: &Checked) -> Value {
    let findings: Vec<Value> = checked.findings.iter().map(finding).collect();
    let mut document = json!({ "records": checked.records, "findings": findings, "near_duplicates": method(checked) });
    if !checked.files.is_empty() {
        let file = |(first, name): &(usize, std::sync::Arc<str>)| json!({ "file": &**name, "first": first });
        document["files"] = checked.files.iter().map(file).collect();
    }
    document
}

/// How near duplicates were searched; null if not at all.
fn method(checked: &Checked) -> Option<&'static str> {
    checked.by_min_hash.map(|by_min_hash| if by_min_hash { "minhash" } else { "tf-idf" })
}

fn finding(finding: &Finding) -> Value {
    let Finding { kind, count, entries, details, pairs, message } = finding;
    let severity = severity(finding);
    let mut object = Map::from_iter([
        ("kind".to_owned(), kind.name().into()),
        ("severity".to_owned(), severity.into()),
        ("count".to_owned(), (*count).into()),
        ("entries".to_owned(), entries.clone().into()),
        ("message".to_owned(), message.clone().into()),
    ]);
    if !details.is_empty() {
        object.insert("details".to_owned(), details.clone().into());
    }
    if !pairs.is_empty() {
        let pairs = pairs
            .iter()
            .map(|pair| json!({ "first": pair.first, "second": pair.second, "similarity": pair.similarity }));
        object.insert("pairs".to_owned(), pairs.collect());
    }
    Value::Object(object)
}

fn severity(finding: &Finding) -> &'static str {
    match finding.kind.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn tell(checked: &Checked) -> Result<()> {
    for found in &checked.findings {
        print_line(format_args!("{}: {}: {}", severity(found), found.kind, found.message))?;
        let places = |at: usize| checked.place(at).to_string();
        if found.pairs.is_empty() && found.details.is_empty() {
            let listed = found.entries.iter().map(|&number| places(number));
            print_line(format_args!("  {}", self::places(listed, found.count)))?;
            continue;
        }
        for (at, number) in found.entries.iter().take(SHOWN).enumerate() {
            let pair = || found.pairs.iter().find(|pair| pair.second == *number);
            let about = match (found.details.get(at), pair()) {
                (Some(detail), _) => format!(": {detail}"),
                (None, Some(pair)) if pair.similarity < 1.0 => {
                    format!(", as {} ({:.3})", places(pair.first), pair.similarity)
                }
                (None, Some(pair)) => format!(", as {}", places(pair.first)),
                (None, None) => String::new(),
            };
            print_line(format_args!("  {}{about}", places(*number)))?;
        }
        if found.count > SHOWN {
            print_line(format_args!("  and {} more", found.count - SHOWN))?;
        }
    }
    let errors = checked.findings.iter().filter(|found| found.kind.severity() == Severity::Error).count();
    let (records, others) = (checked.records, checked.findings.len() - errors);
    let near = match (checked.by_min_hash, &checked.not_searched) {
        (Some(true), _) => {
            "; near duplicates of more than 50,000 records, or 32 MB of instructions, are searched by MinHash, which misses \
             some"
                .to_owned()
        }
        (Some(false), _) => String::new(),
        (None, Some(problem)) => format!("; near duplicates were not searched to the end: {problem}"),
        (None, None) => "; near duplicates were not searched".to_owned(),
    };
    let found = match (errors, others) {
        (0, 0) => "nothing was found".to_owned(),
        (errors, others) => {
            let s = |count: usize| if count == 1 { "" } else { "s" };
            format!("{errors} error{}, {others} warning{}", s(errors), s(others))
        }
    };
    print_line(format_args!("{records} records: {found}{near}"))
}

/// The first of some places, and how many more there are.
pub(super) fn places(listed: impl Iterator<Item = String>, count: usize) -> String {
    let shown: Vec<String> = listed.take(SHOWN).collect();
    let more = count - shown.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}
