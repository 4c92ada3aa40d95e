//! From arguments to a resolved configuration: flag over recipe over what the model was trained with over default.

use std::path::Path;

use anyhow::{Result, bail};
use gptune::{
    Given, RunConfig,
    about::About,
    model::{self, BUILT_IN},
};

use crate::{args::TrainArgs, console::Plain};

/// A configuration, and where its values come from.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub config: RunConfig,
    /// The recipe, if there is one, as the user should be told.
    pub recipe: Option<String>,
    pub given: Given,
}

/// The configuration of a training run.
///
/// Without a recipe, the settings of the built-in model go with it, and with what was trained from it: they are the
/// recipe `quickstart`, whatever the data.
///
/// # Errors
///
/// If the recipe cannot be read or a value makes no run.
pub(crate) fn train_config(args: &TrainArgs) -> Result<Resolved> {
    let model = args.model.as_deref().unwrap_or(BUILT_IN);
    let mut given = Vec::new();
    let (mut config, recipe) = match &args.recipe {
        Some(recipe) => {
            let (config, keys) = RunConfig::recipe(recipe)?;
            given = keys;
            (config, Some(format!("recipe {recipe}")))
        }
        None if base(model) == BUILT_IN => {
            let (mut config, _) = RunConfig::recipe("quickstart")?;
            // What it says of the style is nano's own.
            config.source.prompt_style = RunConfig::default().source.prompt_style;
            (config, Some("recipe quickstart, as for nano".to_owned()))
        }
        None => (RunConfig::default(), None),
    };
    apply(args, &mut config);
    if args.data.is_some() {
        // Takes the place of the files that a recipe names for the parts.
        for part in [&mut config.source.train_data, &mut config.source.val_data, &mut config.source.test_data] {
            part.clear();
        }
    } else if args.train_data.is_some() {
        config.source.val_data = args.val_data.clone().unwrap_or_default();
        config.source.test_data = args.test_data.clone().unwrap_or_default();
    }
    if !config.source.train_data.is_empty() {
        if given.iter().any(|key| key == "data") && args.train_data.is_none() && !config.source.data.is_empty() {
            bail!(
                "the recipe has both 'data' and 'train_data'; 'data' is split into its parts, so leave out one of them"
            );
        }
        if args.split.is_some() {
            bail!("--split is for data that are split, and the recipe has training data of its own ('train_data')");
        }
        config.source.data.clear();
    }
    let in_recipe = |key: &str| given.iter().any(|given| given == key);
    let given = Given {
        prompt_style: args.prompt_style.is_some() || in_recipe("prompt_style"),
        special_tokens: args.special_tokens.is_some() || in_recipe("special_tokens"),
    };
    // Opening the model says it again, for one that is not on this machine yet.
    let known = about(&config.source.model);
    if !given.prompt_style {
        known.own_template().name().clone_into(&mut config.source.prompt_style);
    }
    if !given.special_tokens {
        config.data.special_tokens = known.special_tokens;
    }
    config.validate()?;
    Ok(Resolved { config, recipe, given })
}

/// The model that the first of all trainings of a model started from, as far as this machine knows without asking.
fn base(model: &str) -> String {
    about(model).training.map_or_else(|| model.to_owned(), |training| training.base)
}

/// What is known of a model that lies on this machine as a folder or file. What is wrong with it, opening it will say.
fn about(model: &str) -> About {
    let path = Path::new(model);
    let inner = path.join("model");
    let path = if path.join("config.json").is_file() || !inner.is_dir() { path } else { &inner };
    let is_path = model != BUILT_IN && path.exists() && model::remote_model(model, &Plain).is_none();
    if is_path { About::read(path).unwrap_or_default() } else { About::default() }
}

/// Puts every flag that was given over the configuration's value.
fn apply(args: &TrainArgs, config: &mut RunConfig) {
    macro_rules! over {
        ($($part:ident: $($field:ident),*;)*) => {
            $($(if let Some(value) = args.$field.clone() { config.$part.$field = value; })*)*
        };
    }
    over!(
        source: model, tie_head, data, train_data, val_data, test_data, fields, token_cache, prompt_style, add_tokens, device;
        data: split, split_seed, skip_bad, too_long, special_tokens, mask_instructions, max_length, train_limit,
            batch_size;
        optim: grad_accum, max_grad_norm, lr, schedule, warmup, min_lr, weight_decay, weight_decay_on, freeze, train_only,
            beta_1, beta_2, eps;
        run: seed, order, epochs, max_steps, dropout, precision, eval_every, eval_batches, keep_best, patience,
            sample_tokens, checkpoint_every, checkpoint_minutes, keep_checkpoint;
        output: tensorboard, respond, response_tokens, preview;
    );
    // An empty pattern names nothing: it takes back those of a recipe.
    for patterns in [&mut config.optim.freeze, &mut config.optim.train_only, &mut config.source.add_tokens] {
        patterns.retain(|pattern| !pattern.is_empty());
    }
    let switches = [
        (args.no_eval, &mut config.run.eval),
        (args.no_checkpoint, &mut config.run.checkpoint),
        (args.no_packing, &mut config.run.packing),
        (args.no_prefix_sharing, &mut config.run.prefix_sharing),
    ];
    for (off, value) in switches {
        if let Some(off) = off {
            *value = !off;
        }
    }
}
