//! From arguments to a resolved configuration: flag over recipe over what the model was trained with over default.

use std::path::Path;

use anyhow::{Context, Result, bail};
use gptune_train::TrainConfig;

use crate::{
    about::{About, absolute},
    args::TrainArgs,
    assets::RECIPES,
    model_source::{self, BUILT_IN, title},
};

/// A configuration, and where its values come from.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub config: TrainConfig,
    /// The recipe, if there is one, as the user should be told.
    pub recipe: Option<String>,
    pub given: Given,
}

/// What the user or a recipe says of how instructions become ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub prompt_style: bool,
    pub special_tokens: bool,
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
            let (config, keys) = read_recipe(recipe)?;
            given = keys;
            (config, Some(format!("recipe {recipe}")))
        }
        None if base(model) == BUILT_IN => {
            let (mut config, _) = read_recipe("quickstart")?;
            // What it says of the style is nano's own.
            config.prompt_style = TrainConfig::default().prompt_style;
            (config, Some("recipe quickstart, as for nano".to_owned()))
        }
        None => (TrainConfig::default(), None),
    };
    apply(args, &mut config);
    if args.data.is_some() {
        // Takes the place of the files that a recipe names for the parts.
        for part in [&mut config.train_data, &mut config.val_data, &mut config.test_data] {
            part.clear();
        }
    } else if args.train_data.is_some() {
        config.val_data = args.val_data.clone().unwrap_or_default();
        config.test_data = args.test_data.clone().unwrap_or_default();
    }
    if !config.train_data.is_empty() {
        if given.iter().any(|key| key == "data") && args.train_data.is_none() && !config.data.is_empty() {
            bail!(
                "the recipe has both 'data' and 'train_data'; 'data' is split into its parts, so leave out one of them"
            );
        }
        if args.split.is_some() {
            bail!("--split is for data that are split, and the recipe has training data of its own ('train_data')");
        }
        config.data.clear();
    }
    let in_recipe = |key: &str| given.iter().any(|given| given == key);
    let given = Given {
        prompt_style: args.prompt_style.is_some() || in_recipe("prompt_style"),
        special_tokens: args.special_tokens.is_some() || in_recipe("special_tokens"),
    };
    // Opening the model says it again, for one that is not on this machine yet.
    let known = about(&config.model);
    if !given.prompt_style {
        config.prompt_style = known.style(None);
    }
    if !given.special_tokens {
        config.special_tokens = known.special_tokens;
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
    let is_path = model != BUILT_IN && path.exists() && model_source::remote_model(model).is_none();
    if is_path { About::read(path).unwrap_or_default() } else { About::default() }
}

fn read_recipe(recipe: &str) -> Result<(TrainConfig, Vec<String>)> {
    let built_in = RECIPES.into_iter().find(|(name, _)| *name == recipe);
    let (origin, text) = if let Some((name, text)) = built_in {
        (format!("recipe {name}"), text.to_owned())
    } else {
        let path = Path::new(recipe);
        if !path.exists() && !recipe.contains(['/', '\\', '.']) {
            bail!(
                "unknown recipe '{recipe}'; known: {}, or the path of a TOML file",
                RECIPES.map(|(name, _)| name).join(", ")
            );
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the recipe {recipe}"))?;
        (recipe.to_owned(), text)
    };
    let config = TrainConfig::from_toml(&origin, &text)?;
    Ok((config, TrainConfig::keys(&text)))
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
        train_data,
        val_data,
        test_data,
        split,
        split_seed,
        skip_bad,
        too_long,
        special_tokens,
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
        schedule,
        warmup,
        min_lr,
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
        checkpoint_every,
        checkpoint_minutes,
        keep_checkpoint,
        respond,
        response_tokens,
        preview,
    );
    let switches = [
        (args.no_eval, &mut config.eval),
        (args.no_checkpoint, &mut config.checkpoint),
        (args.no_packing, &mut config.packing),
        (args.no_prefix_sharing, &mut config.prefix_sharing),
    ];
    for (off, value) in switches {
        if let Some(off) = off {
            *value = !off;
        }
    }
}

/// Makes paths in a configuration mean the same from every folder.
pub(crate) fn anchor(config: &mut TrainConfig) {
    config.model = model_source::anchored(&config.model);
    for name in [&mut config.data, &mut config.train_data, &mut config.val_data, &mut config.test_data] {
        // What the name stands for goes before a file of that name.
        if name != "sample" && !name.is_empty() {
            *name = absolute(name);
        }
    }
}

/// What a run is called if it is given no folder: after the base model and the data, with the time.
#[must_use]
pub(crate) fn run_name(args: &TrainArgs, base: &str, config: &TrainConfig) -> String {
    args.name.clone().unwrap_or_else(|| {
        let time = jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S");
        let data = if config.train_data.is_empty() { &config.data } else { &config.train_data };
        format!("{}-{}-{time}", title(base), title(data))
    })
}
