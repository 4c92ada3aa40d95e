use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune::{
    download::{DataSet, HubData, Remote, Which},
    model::BUILT_IN,
};
use serde_json::{Map, Value, json};

use super::print_json;
use crate::{
    args::{FetchArgs, Origin},
    console::{Plain, note, print_line},
};

/// What a name may stand for.
enum Wanted {
    One(Remote),
    Data(HubData),
    /// A model, or a data set if the Hub has no such model.
    Either(Remote, HubData),
}

pub(crate) fn run(args: &FetchArgs) -> Result<()> {
    let wanted = wanted(args)?;
    if args.dry_run {
        return match wanted {
            Wanted::One(remote) => dry_run(args, &remote),
            Wanted::Data(data) => dry_run_of_data(args, &data),
            Wanted::Either(remote, data) => match Which::on_this_machine(&remote, &data)? {
                Some(Which::Data(data)) => dry_run_of_data(args, &data),
                Some(Which::Model(remote)) => dry_run(args, &remote),
                None => {
                    dry_run(args, &remote)?;
                    let name = &args.name;
                    note(&format!(
                        "if the Hub has no such model, the data set is fetched (gptune fetch --data {name} --dry-run)"
                    ));
                    Ok(())
                }
            },
        };
    }
    match wanted {
        Wanted::One(remote) => fetch(args, &remote),
        Wanted::Data(data) => fetch_data(args, &data),
        Wanted::Either(remote, data) => match Which::on_the_hub(&remote, &data)? {
            Which::Model(remote) => fetch(args, &remote),
            Which::Data(data) => fetch_data(args, &data),
        },
    }
}

fn fetch(args: &FetchArgs, remote: &Remote) -> Result<()> {
    let (path, downloaded) = remote.fetch_with_care(args.force, &Plain)?;
    if args.json {
        return print_json(&json!({ "name": args.name, "path": path.display().to_string(), "downloaded": downloaded }));
    }
    print_line(format_args!("{} is in {}", args.name, path.display()))
}

fn fetch_data(args: &FetchArgs, data: &HubData) -> Result<()> {
    let (DataSet { revision, folder, splits, .. }, downloaded) = data.fetch_with_care(args.force, &Plain)?;
    if args.json {
        let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string().into()).collect();
        let splits = splits.into_iter().map(|(split, files)| (split, Value::Array(paths(&files))));
        return print_json(&json!({
            "name": args.name,
            "path": folder.display().to_string(),
            "revision": revision,
            "splits": splits.collect::<Map<_, _>>(),
            "downloaded": downloaded,
        }));
    }
    print_line(format_args!("{} is in {}, of revision {revision}:", args.name, folder.display()))?;
    for (split, files) in splits {
        let names = files.iter().map(|path| path.strip_prefix(&folder).unwrap_or(path).display().to_string());
        print_line(format_args!("  {split}: {}", names.collect::<Vec<_>>().join(", ")))?;
    }
    Ok(())
}

fn dry_run(args: &FetchArgs, remote: &Remote) -> Result<()> {
    let here = if args.force { None } else { remote.on_this_machine(&Plain)? };
    let requests = if here.is_some() { Vec::new() } else { remote.requests()? };
    let damage = || if args.force { Ok(Vec::new()) } else { remote.damage(&Plain) };
    shown(args, here.as_deref(), &requests, damage, remote.outline())
}

fn dry_run_of_data(args: &FetchArgs, data: &HubData) -> Result<()> {
    let here = if args.force { None } else { data.on_this_machine(&Plain)? };
    let requests = if here.is_some() { Vec::new() } else { data.requests()? };
    let damage = || if args.force { Ok(Vec::new()) } else { data.damage(&Plain) };
    shown(args, here.as_deref(), &requests, damage, Some(data.outline()))
}

fn shown<T: std::fmt::Display>(
    args: &FetchArgs,
    here: Option<&Path>,
    requests: &[String],
    damage: impl FnOnce() -> Result<Vec<T>>,
    outline: Option<String>,
) -> Result<()> {
    if args.json {
        return print_json(
            &json!({ "name": args.name, "path": here.map(|path| path.display().to_string()), "requests": requests }),
        );
    }
    if let Some(path) = here {
        return print_line(format_args!("nothing to fetch: {} is in {}", args.name, path.display()));
    }
    for damaged in damage()? {
        note(&format!("{damaged}; of the requests, those for it are made"));
    }
    print_line(requests.join("\n"))?;
    outline.map_or(Ok(()), |outline| print_line(format_args!("({outline})")))
}

fn wanted(args: &FetchArgs) -> Result<Wanted> {
    let (name, mirror) = (&args.name, args.mirror.as_deref());
    if args.source == Origin::Openai {
        if args.kind.data {
            bail!("--source openai is for models, and --data is not");
        }
        return Remote::openai(name, mirror).map(Wanted::One).with_context(|| {
            format!("OpenAI has released no '{name}'; its models are 124M, 355M, 774M and 1558M, or gpt2 to gpt2-xl")
        });
    }
    if [BUILT_IN, "sample"].contains(&name.as_str()) {
        bail!("{name} is built in, and nothing has to be fetched for it");
    }
    if let Some(data) = Remote::data(name, mirror).filter(|_| !args.kind.model) {
        return Ok(Wanted::One(data));
    }
    if mirror.is_some() {
        bail!("--mirror is for --source openai and for data; set HF_ENDPOINT to another Hub's address");
    }
    let model = if args.kind.data { None } else { Remote::model(name) };
    let data =
        if args.kind.model || model.as_ref().is_some_and(Remote::is_released) { None } else { HubData::named(name)? };
    match (model, data) {
        (Some(model), Some(data)) if !data.is_certain() => Ok(Wanted::Either(model, data)),
        (_, Some(data)) => Ok(Wanted::Data(data)),
        (Some(model), None) => Ok(Wanted::One(model)),
        (None, None) => bail!(
            "unknown name '{name}'; known are gpt2, gpt2-medium, gpt2-large, gpt2-xl, OWNER/NAME of the Hub, book and alpaca"
        ),
    }
}
