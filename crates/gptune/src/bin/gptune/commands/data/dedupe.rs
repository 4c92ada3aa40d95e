use anyhow::{Result, bail};
use gptune::data::records;
use gptune_data::{
    BadEntry, DataError, DuplicateError, Example, NearDuplicate, Repeats, RepeatsOptions, Shape, write_records,
};
use serde_json::json;

use super::{
    super::print_json,
    check::places,
    convert::{as_it_is, check_out, kept, tell_left_out},
};
use crate::{
    args::DedupeArgs,
    console::{Plain, note, print_line},
};

/// Pairs that are listed.
const MOST: usize = 100_000;

pub(super) fn run(args: &DedupeArgs) -> Result<()> {
    let records = records(&args.data, &Plain)?;
    if let Some(out) = &args.out {
        check_out(&records, out, args.overwrite)?;
    }
    let options = RepeatsOptions { shape: args.fields.clone(), by: args.by, threshold: args.threshold, most: MOST };
    let mut repeats = Repeats::find(&records, &options).map_err(|fault| match fault {
        DuplicateError::Source(error) => anyhow::Error::new(error),
        other => anyhow::Error::new(DataError::Duplicates {
            origin: records.origin().to_owned(),
            problem: other.to_string(),
        }),
    })?;
    let total = repeats.is_repeated.len();
    let bad = std::mem::take(&mut repeats.bad);
    if !bad.is_empty() && (!args.skip_bad || bad.len() == total) {
        let origin = records.origin().to_owned();
        return Err(DataError::Entries { origin, bad, total, remedy: Some("--skip-bad") }.into());
    }
    let repeated = repeats.is_repeated.iter().filter(|is| **is).count();
    let left = total - repeated - bad.len();
    if let Some(out) = &args.out {
        let work = |example: Result<Example, BadEntry>, _: &Shape| as_it_is(Ok(example.map_err(Box::new)?));
        let keep = |number: usize| !repeats.is_repeated.get(number).copied().unwrap_or_default();
        let written = write_records(out, || kept(&records, args.fields.clone(), args.skip_bad, &work, keep))?;
        if written != left {
            bail!(DataError::Changed { origin: records.origin().to_owned() });
        }
    } else {
        tell_left_out(records.origin(), &bad);
    }
    let method = if repeats.by_min_hash { "minhash" } else { "tf-idf" };
    let method = if args.threshold == 1.0 { "exact" } else { method };
    if repeats.by_min_hash {
        note(
            "Note: near repetitions of more than 50,000 records, or 32 MB of texts, are searched by MinHash, which misses \
             some",
        );
    }
    if args.json {
        let pair = |NearDuplicate { first, second, similarity }: &NearDuplicate| json!({ "first": first, "second": second, "similarity": similarity });
        return print_json(&json!({
            "records": total,
            "left": left,
            "repeated": repeated,
            "bad": bad.len(),
            "method": method,
            "count": repeats.count,
            "pairs": repeats.pairs.iter().map(pair).collect::<Vec<_>>(),
            "out": args.out,
        }));
    }
    let numbers =
        || repeats.is_repeated.iter().enumerate().filter(|(_, is)| **is).map(|(number, _)| number.to_string());
    let shown = if repeated == 0 { String::new() } else { format!(" (entries {})", places(numbers(), repeated)) };
    print_line(format_args!("{repeated} of {total} records repeat others{shown}"))?;
    if let Some(out) = &args.out {
        print_line(format_args!("{left} records written to {}", out.display()))?;
    }
    Ok(())
}
