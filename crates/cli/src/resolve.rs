//! From arguments to a resolved configuration: flag over recipe over default.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune_train::TrainConfig;

use crate::{args::TrainArgs, assets::RECIPES, model_source::title};

/// The configuration of a training run.
///
/// Without a recipe and a model, the recipe `quickstart` is the base: its settings are those of the
/// built-in model, whatever the data.
///
/// # Errors
///
/// If the recipe cannot be read or a value makes no run.
pub(crate) fn train_config(args: &TrainArgs) -> Result<TrainConfig> {
    let recipe = args.recipe.as_deref().or(args.model.is_none().then_some("quickstart"));
    let mut config = recipe.map_or_else(|| Ok(TrainConfig::default()), read_recipe)?;
    apply(args, &mut config);
    config.validate()?;
    Ok(config)
}

fn read_recipe(recipe: &str) -> Result<TrainConfig> {
    if let Some((name, text)) = RECIPES.into_iter().find(|(name, _)| *name == recipe) {
        return Ok(TrainConfig::from_toml(&format!("recipe {name}"), text)?);
    }
    let path = Path::new(recipe);
    if !path.exists() && !recipe.contains(['/', '\\', '.']) {
        bail!(
            "unknown recipe '{recipe}'; known: {}, or the path of a TOML file",
            RECIPES.map(|(name, _)| name).join(", ")
        );
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the recipe {recipe}"))?;
    Ok(TrainConfig::from_toml(recipe, &text)?)
}

/// Puts every flag that was given over the configuration's value.
fn apply(args: &TrainArgs, config: &mut TrainConfig) {
    macro_rules! over {
        ($($field:ident),* $(,)?) => {
            $(if let Some(value) = args.$field.clone() { config.$field = value; })*
        };
    }
    over!(
        model,
        data,
        device,
        precision,
        seed,
        order,
        prompt_style,
        mask_instructions,
        tie_head,
        epochs,
        batch_size,
        grad_accum,
        max_grad_norm,
        lr,
        weight_decay,
        beta_1,
        beta_2,
        eps,
        dropout,
        max_length,
        max_steps,
        train_limit,
        eval_every,
        eval_batches,
        sample_tokens,
        respond,
        response_tokens,
        preview,
    );
    let switches = [
        (args.no_eval, &mut config.eval),
        (args.no_packing, &mut config.packing),
        (args.no_prefix_sharing, &mut config.prefix_sharing),
    ];
    for (off, value) in switches {
        if let Some(off) = off {
            *value = !off;
        }
    }
}

/// The run folder: as given, or `runs/MODEL-DATA-TIME`, which no earlier run has.
#[must_use]
pub(crate) fn out_folder(args: &TrainArgs, config: &TrainConfig) -> PathBuf {
    args.out.clone().unwrap_or_else(|| {
        let time = jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S");
        Path::new("runs").join(format!("{}-{}-{time}", title(&config.model), title(&config.data)))
    })
}
