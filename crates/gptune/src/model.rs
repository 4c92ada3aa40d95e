//! Names of models, and what a model brings along.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gptune_data::{Added, Template, Tokenizer};
use gptune_fetch::GPT2_NAMES;
use gptune_weights::{ModelFolder, SpecialTokens, open_if_gguf};

use crate::{
    Silent, Voice,
    about::About,
    assets,
    download::{self, Remote},
};

/// The name of the model in the program, which goes before a folder of that name.
pub const BUILT_IN: &str = "nano";

/// A model that was opened, with its tokenizer and what is known of it.
#[derive(Debug)]
pub struct Opened {
    /// Its weights and sizes.
    pub folder: ModelFolder,
    /// Its tokenizer, GPT-2's if it brings none.
    pub tokenizer: Tokenizer,
    /// The tokens that its configuration names.
    pub special: SpecialTokens,
    /// What is known of its training.
    pub about: About,
    /// Where it is; none for the built-in one.
    pub path: Option<PathBuf>,
}

/// What a model brings along beside its weights.
#[derive(Debug)]
pub struct Rest {
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The tokens that its configuration names.
    pub special: SpecialTokens,
    /// What is known of its training.
    pub about: About,
}

impl Opened {
    /// The weights, and the rest.
    #[must_use]
    pub fn apart(self) -> (ModelFolder, Rest) {
        let Self { folder, tokenizer, special, about, path: _ } = self;
        (folder, Rest { tokenizer, special, about })
    }

    /// How conversations become texts: as the user says, else as the model was trained, else as the book has it.
    ///
    /// # Errors
    ///
    /// If there is no such template.
    pub fn template(&self, given: Option<&str>, voice: &dyn Voice) -> Result<Template> {
        let Some(given) = given else {
            let template = self.about.own_template();
            if self.about.foreign_template().is_some() {
                voice.note(&format!(
                    "Note: the model has a chat template of its own, which is not used here; prompts are in the template \
                     {template}, --template chooses another"
                ));
            }
            return Ok(template);
        };
        self.about.template(given)
    }

    /// The run folder that the model lies in.
    #[must_use]
    pub fn run(&self) -> Option<PathBuf> {
        let run = self.path.as_ref()?.canonicalize().ok()?.parent()?.to_owned();
        run.join("config.toml").is_file().then_some(run)
    }

    /// The model that the first of all trainings started from.
    #[must_use]
    pub fn base(&self, model: &str) -> String {
        let training = self.about.training.as_ref();
        training.map_or_else(|| anchored(model), |training| training.base.clone())
    }
}

/// A tokenizer with tokens that are added to it, and answers that end as a template ends them: with a token of its own,
/// where the tokenizer has that.
///
/// # Errors
///
/// If a token cannot be added.
pub fn fitted(
    tokenizer: Tokenizer,
    add_tokens: &[String],
    template: &Template,
    voice: &dyn Voice,
) -> Result<Tokenizer> {
    let tokenizer = if add_tokens.is_empty() { tokenizer } else { tokenizer.with_added(add_tokens)? };
    let id = |name: &str| tokenizer.added().iter().find(|token| token.content == name).map(|token| token.id);
    let missing: Vec<&str> = template.tokens().iter().map(String::as_str).filter(|name| id(name).is_none()).collect();
    if !missing.is_empty() {
        voice.note(&format!(
            "Note: the tokenizer has no token for {} of the template {template}, which are ordinary letters then; \
             --add-tokens '{}' makes them tokens",
            missing.join(" and "),
            missing.join(",")
        ));
    }
    let end = template.end().and_then(id);
    Ok(match end {
        Some(end) => tokenizer.ending_with(Some(end))?.0,
        None => tokenizer,
    })
}

/// Opens the model that a name, folder or file stands for, after a download if it is not on this machine. What a user
/// should know about it is said on standard error.
///
/// # Errors
///
/// If there is none, or it is damaged, or its tokenizer does not fit it.
pub fn open_model(model: &str, voice: &dyn Voice) -> Result<Opened> {
    let opened = open_quietly(model, voice)?;
    for note in opened.folder.notes() {
        voice.note(&format!("Note: {note}"));
    }
    Ok(opened)
}

fn open_quietly(model: &str, voice: &dyn Voice) -> Result<Opened> {
    let path = locate(model, voice)?;
    let Some(path) = path else {
        let folder = ModelFolder::from_bytes("the built-in model nano", assets::NANO_CONFIG, assets::NANO_WEIGHTS)?;
        let special = SpecialTokens { pad: None, ..SpecialTokens::all(gptune_data::END_OF_TEXT_ID) };
        return Ok(Opened { folder, tokenizer: Tokenizer::gpt2()?, special, about: About::default(), path: None });
    };
    let folder = ModelFolder::open(&path)?;
    // A run's folder stands for its model.
    let path = match path.join("model") {
        inner if path.is_dir() && !path.join("config.json").is_file() && inner.is_dir() => inner,
        _ => path,
    };
    let (tokenizer, special) = tokenizer_of(&path, folder.config.vocab_size, voice)?;
    let about = About::read(&path)?;
    Ok(Opened { folder, tokenizer, special, about, path: Some(path) })
}

/// Where a model is; none for the built-in one.
fn locate(model: &str, voice: &dyn Voice) -> Result<Option<PathBuf>> {
    if model == BUILT_IN {
        return Ok(None);
    }
    if let Some(remote) = remote_model(model, voice) {
        return here_or_fetched(&remote, model, voice).map(Some);
    }
    if Path::new(model).exists() || model.contains(['/', '\\', '.']) {
        return Ok(Some(PathBuf::from(model)));
    }
    bail!(
        "unknown model '{model}': there is no such file or folder, and the known names are nano, {}, and OWNER/NAME \
         of the Hugging Face Hub",
        GPT2_NAMES.map(|(name, _)| name).join(", ")
    )
}

/// The tokenizer of a model by its name, and the tokens that its configuration names, without opening its weights.
///
/// # Errors
///
/// As [`open_model`].
pub fn tokenizer(model: &str, voice: &dyn Voice) -> Result<Tokenizer> {
    match locate(model, voice)? {
        None => Ok(Tokenizer::gpt2()?),
        Some(_) => Ok(open_model(model, voice)?.tokenizer),
    }
}

/// The tokenizer that stands with a model's weights, GPT-2's if none does.
fn tokenizer_of(path: &Path, rows: usize, voice: &dyn Voice) -> Result<(Tokenizer, SpecialTokens)> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let gguf = open_if_gguf(path)?;
    let (own, mut special) = match &gguf {
        Some(file) => {
            let listed = file.tokenizer()?;
            let special = listed.as_ref().map_or_else(SpecialTokens::default, |listed| SpecialTokens {
                bos: listed.end_of_text,
                eos: listed.end_of_text,
                pad: listed.padding,
            });
            let own = listed.map(|listed| {
                let added: Vec<Added> = listed
                    .added
                    .iter()
                    .map(|&(id, special)| Added { id, content: listed.tokens[id as usize].clone(), special })
                    .collect();
                Tokenizer::from_lists(path, &listed.tokens, &listed.merges, &added, listed.end_of_text)
            });
            (own.transpose()?, special)
        }
        None => (Tokenizer::read(folder)?, SpecialTokens::read(&folder.join("config.json"))?),
    };
    let is_own = own.is_some();
    let tokenizer = match own {
        Some(own) => own,
        None => Tokenizer::gpt2()?,
    };
    let known = tokenizer.vocab_size();
    if known > rows {
        if is_own {
            bail!(
                "the tokenizer of {} has {known} tokens and the model {rows}; give the tokenizer that the model was \
                 trained with",
                tokenizer.origin()
            );
        }
        bail!(
            "the model {} knows {rows} tokens and has no tokenizer files, and GPT-2's tokenizer has {known}; put the \
             model's own vocab.json and merges.txt, or tokenizer.json, beside it",
            path.display()
        );
    }
    let (tokenizer, notes) = tokenizer.ending_with(special.eos)?;
    for note in notes {
        voice.note(&format!("Note: {note}"));
    }
    special.eos = Some(tokenizer.end_of_text());
    for (key, id) in [("bos_token_id", special.bos), ("pad_token_id", special.pad)] {
        if let Some(id) = id.filter(|&id| id as usize >= rows) {
            bail!("{} names token {id} as its '{key}', and the model has {rows} tokens; correct that", path.display());
        }
    }
    Ok((tokenizer, special))
}

/// What a model or data are called in names of runs and files: without folders, and without the ending of a file. A dot
/// in the name of a folder or repository is no ending. The model of a run is called what the run is.
#[must_use]
pub fn title(source: &str) -> String {
    let path = Path::new(source);
    let own = path.ends_with("model") || path.ends_with("best");
    let run = path.parent().filter(|parent| own && parent.join("config.toml").is_file());
    if let Some(run) = run.and_then(|run| run.canonicalize().ok())
        && let Some(name) = run.file_name()
    {
        return name.to_string_lossy().into_owned();
    }
    let title = if path.is_file() { path.file_stem() } else { path.file_name() };
    title.map_or_else(|| source.to_owned(), |title| title.to_string_lossy().into_owned())
}

/// A model's name or path that means the same from every folder.
#[must_use]
pub fn anchored(model: &str) -> String {
    if model == BUILT_IN || remote_model(model, &Silent).is_some() {
        model.to_owned()
    } else {
        crate::about::absolute(model)
    }
}

/// What a name of a model stands for, if it is not a path on this machine. A short name such as `gpt2` goes before a
/// folder of that name where the model is in the cache.
pub fn remote_model(model: &str, voice: &dyn Voice) -> Option<Remote> {
    let remote = Remote::model(model)?;
    // One that is there and damaged is not passed over either.
    let cached = || !model.contains('/') && !matches!(remote.on_this_machine(voice), Ok(None));
    let local = Path::new(model).exists() && !cached();
    (!local).then_some(remote)
}

pub(crate) fn here_or_fetched(remote: &Remote, name: &str, voice: &dyn Voice) -> Result<PathBuf> {
    if let Some(path) = remote.on_this_machine(voice)? {
        return Ok(path);
    }
    download::announce(remote, name, voice);
    // What has the form of a repository's name may have been meant as a path.
    let nowhere = || format!("there is no file or folder '{name}', and");
    if name.contains('/') { remote.fetch(voice).with_context(nowhere) } else { remote.fetch(voice) }
}
