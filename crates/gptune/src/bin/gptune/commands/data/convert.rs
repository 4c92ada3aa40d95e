use std::path::Path;

use anyhow::{Result, bail};
use gptune::data::records;
use gptune_data::{
    BadEntry, DataError, Example, Examples, Records, Reshape, Shape, Template, Tokenizer, WrittenRow, check_ending,
    write_records,
};

use crate::{
    args::ConvertArgs,
    console::{Plain, note, print_line},
};

pub(super) fn run(args: &ConvertArgs) -> Result<()> {
    let records = records(&args.data, &Plain)?;
    check_out(&records, &args.out, args.overwrite)?;
    let reshape = args.shape.map(|shape| {
        let template = args.prompt_style.as_deref().map(Template::find).transpose()?.unwrap_or_default();
        Ok::<_, DataError>(Reshape { shape, template, tokenizer: Tokenizer::gpt2()? })
    });
    let reshape = reshape.transpose()?;
    let work = |example: Result<Example, BadEntry>, _: &Shape| -> Result<WrittenRow, Box<BadEntry>> {
        let Some(reshape) = &reshape else { return as_it_is(example) };
        let example = example.map_err(Box::new)?;
        match reshape.record(&example) {
            Ok(record) => Ok((example.place, record)),
            Err(problem) => Err(Box::new(BadEntry::new(&example, problem))),
        }
    };
    let written = write_records(&args.out, || kept(&records, args.fields.clone(), args.skip_bad, &work, |_| true))?;
    print_line(format_args!("{written} records written to {}", args.out.display()))
}

/// A record as it is, whether it can be used or not, as long as it is one.
pub(super) fn as_it_is(example: Result<Example, BadEntry>) -> Result<WrittenRow, Box<BadEntry>> {
    match example {
        Ok(example) => Ok((example.place, example.entry)),
        Err(BadEntry { place, problem, entry }) => match entry {
            serde_json::Value::Object(record) => Ok((place, record)),
            entry => Err(Box::new(BadEntry { place, problem, entry })),
        },
    }
}

/// Refuses what the result must not replace.
pub(super) fn check_out(records: &Records, out: &Path, overwrite: bool) -> Result<()> {
    check_ending(out)?;
    if records.reads(out) && out.exists() {
        bail!("{} is what is read; give the result another name", out.display());
    }
    if out.is_dir() {
        bail!("cannot write {}: it is a folder; give the name of a file", out.display());
    }
    if out.exists() && !overwrite {
        bail!("{} is there already; give another name, or --overwrite", out.display());
    }
    Ok(())
}

/// A stream of what becomes of records, by their numbers, and at its end the error of those that nothing can become of.
pub(super) fn kept<'a>(
    records: &'a Records,
    shape: Option<Shape>,
    skip_bad: bool,
    work: &'a (impl Fn(Result<Example, BadEntry>, &Shape) -> Result<WrittenRow, Box<BadEntry>> + Sync),
    keep: impl Fn(usize) -> bool + 'a,
) -> impl FnMut() -> Result<Option<Vec<WrittenRow>>, DataError> + 'a {
    let mut examples = Examples::new(records.again(), shape);
    let (mut total, mut bad) = (0, Vec::new());
    move || {
        let Some(chunk) = examples.next_chunk(work)? else {
            let origin = records.origin().to_owned();
            if total == 0 {
                return Err(DataError::Empty { origin });
            }
            let bad = std::mem::take(&mut bad);
            if bad.is_empty() {
                return Ok(None);
            }
            if skip_bad && bad.len() < total {
                tell_left_out(&origin, &bad);
                return Ok(None);
            }
            return Err(DataError::Entries { origin, bad, total, remedy: Some("--skip-bad") });
        };
        let mut rows = Vec::with_capacity(chunk.len());
        for one in chunk {
            let number = total;
            total += 1;
            match one {
                Ok(row) if keep(number) => rows.push(row),
                Ok(_) => {}
                Err(entry) => bad.push(*entry),
            }
        }
        Ok(Some(rows))
    }
}

/// Says how many entries were left out, and why the first one was.
pub(super) fn tell_left_out(origin: &str, bad: &[BadEntry]) {
    if let Some(first) = bad.first() {
        let (count, place, problem) = (bad.len(), &first.place, &first.problem);
        let entries = if count == 1 { "entry" } else { "entries" };
        note(&format!("Note: {count} {entries} of {origin} left out; the first: {place}: {problem}"));
    }
}
