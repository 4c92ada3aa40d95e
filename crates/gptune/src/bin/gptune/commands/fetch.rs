use anyhow::{Context, Result, bail};
use gptune::{download::Remote, model::BUILT_IN};
use serde_json::json;

use super::print_json;
use crate::{
    args::{FetchArgs, Origin},
    console::{Plain, note, print_line},
};

pub(crate) fn run(args: &FetchArgs) -> Result<()> {
    let remote = remote(args)?;
    if args.dry_run {
        return dry_run(args, &remote);
    }
    let (path, downloaded) = remote.fetch_with_care(args.force, &Plain)?;
    if args.json {
        return print_json(&json!({ "name": args.name, "path": path.display().to_string(), "downloaded": downloaded }));
    }
    print_line(format_args!("{} is in {}", args.name, path.display()))
}

fn dry_run(args: &FetchArgs, remote: &Remote) -> Result<()> {
    let here = if args.force { None } else { remote.on_this_machine(&Plain)? };
    let requests = if here.is_some() { Vec::new() } else { remote.requests()? };
    if args.json {
        return print_json(
            &json!({ "name": args.name, "path": here.map(|path| path.display().to_string()), "requests": requests }),
        );
    }
    if let Some(path) = here {
        return print_line(format_args!("nothing to fetch: {} is in {}", args.name, path.display()));
    }
    for damaged in if args.force { Vec::new() } else { remote.damage(&Plain)? } {
        note(&format!("{damaged}; of the requests, those for it are made"));
    }
    print_line(requests.join("\n"))?;
    remote.outline().map_or(Ok(()), |outline| print_line(format_args!("({outline})")))
}

fn remote(args: &FetchArgs) -> Result<Remote> {
    let (name, mirror) = (&args.name, args.mirror.as_deref());
    if args.source == Origin::Openai {
        return Remote::openai(name, mirror).with_context(|| {
            format!("OpenAI has released no '{name}'; its models are 124M, 355M, 774M and 1558M, or gpt2 to gpt2-xl")
        });
    }
    if [BUILT_IN, "sample"].contains(&name.as_str()) {
        bail!("{name} is built in, and nothing has to be fetched for it");
    }
    if let Some(data) = Remote::data(name, mirror) {
        return Ok(data);
    }
    if mirror.is_some() {
        bail!("--mirror is for --source openai and for data; set HF_ENDPOINT to another Hub's address");
    }
    Remote::model(name).with_context(|| {
        format!("unknown name '{name}'; known are gpt2, gpt2-medium, gpt2-large, gpt2-xl, OWNER/NAME of the Hub, book and alpaca")
    })
}
