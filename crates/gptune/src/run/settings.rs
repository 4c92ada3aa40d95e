//! Settings that follow from the model and the place.

use gptune_data::Template;

use super::Given;
use crate::{
    RunConfig, Voice,
    about::{About, absolute},
    model::{self, title},
};

/// What a run is called if it is given no name: after the base model and the data, with the time.
pub(super) fn run_name(base: &str, config: &RunConfig) -> String {
    let time = jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S");
    let source = &config.source;
    let data = if source.train_data.is_empty() { &source.data } else { &source.train_data };
    format!("{}-{}-{time}", title(base), title(data))
}

/// Makes paths in a configuration mean the same from every folder.
pub(super) fn anchor(config: &mut RunConfig) {
    let source = &mut config.source;
    source.model = model::anchored(&source.model);
    for name in [&mut source.data, &mut source.train_data, &mut source.val_data, &mut source.test_data] {
        // What the name stands for goes before a file of that name.
        if name != "sample" && !name.is_empty() {
            *name = absolute(name);
        }
    }
    // A file may have the name of a template, which goes before it.
    if Template::named(&source.prompt_style).is_none() {
        source.prompt_style = absolute(&source.prompt_style);
    }
    if !source.token_cache.is_empty() {
        source.token_cache = std::path::absolute(&source.token_cache)
            .map_or_else(|_| source.token_cache.clone(), |path| path.display().to_string());
    }
}

/// Lets texts become ids as they did for the model so far where nobody says otherwise; says so of a change.
pub(super) fn follow_training(config: &mut RunConfig, about: &About, given: Given, voice: &dyn Voice) {
    let RunConfig { source, data, .. } = config;
    let Some(own) = about.template.as_ref().map(Template::name) else {
        if about.foreign_template().is_some() {
            voice.say(&format!(
                "Note: the model has a chat template of its own, which is not used here; it is trained with the template {} \
                 from here on",
                source.prompt_style
            ));
        }
        return;
    };
    if !given.prompt_style {
        own.clone_into(&mut source.prompt_style);
    } else if source.prompt_style != own {
        voice.say(&format!(
            "Note: the model was trained with the template {own}, and is trained with {} from here on",
            source.prompt_style
        ));
    }
    if !given.special_tokens {
        data.special_tokens = about.special_tokens;
    } else if data.special_tokens != about.special_tokens {
        let became = |taken| if taken { "as that token" } else { "as letters" };
        voice.say(&format!(
            "Note: the model was trained with text that reads like a special token taken {}, and is trained with it taken \
             {} from here on",
            became(about.special_tokens),
            became(data.special_tokens)
        ));
    }
}
