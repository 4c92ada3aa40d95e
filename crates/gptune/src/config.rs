//! Every value of a run, in parts for those who take them and as one flat file for people.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use gptune_data::{CorpusOptions, Fractions};
use gptune_train::{DataConfig, LoopConfig, OptimConfig};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::assets::RECIPES;

/// What is trained, on what, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// The model to start from: a name, a folder or a file.
    pub model: String,
    /// Keep the output head tied to the token embedding.
    pub tie_head: bool,
    /// The data: a name or a file, which is split.
    pub data: String,
    /// A file of training data instead, not split; empty for none.
    pub train_data: String,
    /// A file of validation data, beside `train_data`; empty for none.
    pub val_data: String,
    /// A file of test data, beside `train_data`; empty for none.
    pub test_data: String,
    /// Which keys of a record hold what, as `instruction=question,output=answer`; empty for what the data show.
    pub fields: String,
    /// The folder in which token ids are kept; empty for none.
    pub token_cache: String,
    /// How conversations become texts: the name of a template, or its file.
    pub prompt_style: String,
    /// Tokens that are added to the model's tokenizer.
    pub add_tokens: Vec<String>,
    /// The device to train on.
    pub device: String,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            model: "nano".to_owned(),
            tie_head: false,
            data: "sample".to_owned(),
            train_data: String::new(),
            val_data: String::new(),
            test_data: String::new(),
            fields: String::new(),
            token_cache: String::new(),
            prompt_style: "book".to_owned(),
            add_tokens: Vec::new(),
            device: "auto".to_owned(),
        }
    }
}

/// What a run leaves beside its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Write what happens for `TensorBoard` too.
    pub tensorboard: bool,
    /// Answer the test part after training.
    pub respond: bool,
    /// Longest answer in tokens.
    pub response_tokens: usize,
    /// Test examples answered before and after training, to compare.
    pub preview: usize,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { tensorboard: false, respond: false, response_tokens: 256, preview: 0 }
    }
}

/// Every value of a run. The defaults are the book's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunConfig {
    /// What is trained, on what, and where.
    #[serde(flatten)]
    pub source: SourceConfig,
    /// What becomes of examples on their way to the model.
    #[serde(flatten)]
    pub data: DataConfig,
    /// How parameters are updated.
    #[serde(flatten)]
    pub optim: OptimConfig,
    /// How long is trained, and what is done along the way.
    #[serde(flatten)]
    pub run: LoopConfig,
    /// What is left.
    #[serde(flatten)]
    pub output: OutputConfig,
}

impl SourceConfig {
    /// How records are read.
    ///
    /// # Errors
    ///
    /// If `fields` cannot be used.
    pub fn reading(&self) -> Result<CorpusOptions> {
        let shape = if self.fields.is_empty() { None } else { Some(self.fields.parse()?) };
        let cache = (!self.token_cache.is_empty()).then(|| PathBuf::from(&self.token_cache));
        Ok(CorpusOptions { shape, cache, ..CorpusOptions::default() })
    }
}

impl RunConfig {
    /// Reads a recipe: TOML with any of the keys of the parts; the others keep their defaults.
    ///
    /// # Errors
    ///
    /// With `origin` and what is wrong, an unknown key among it.
    pub fn from_toml(origin: &str, text: &str) -> Result<Self> {
        let recipes = "see crates/gptune/assets/recipes for recipes with every key";
        let table: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            anyhow!("{origin}, line {line}: {}; {recipes}", error.message())
        })?;
        let mut config = Self::default();
        for (key, value) in table {
            let fault = |problem: String| {
                let is_of_key = |line: &&str| {
                    let rest = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(&key);
                    rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with('='))
                };
                let line = text.lines().take_while(|line| !is_of_key(line)).count() + 1;
                anyhow!("{origin}, line {line}: {problem}; {recipes}")
            };
            let known = config.set(&key, &value).map_err(|error| fault(format!("'{key}': {}", error.message())))?;
            if !known {
                let all = Self::default().table()?.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(fault(format!("unknown key '{key}', expected one of {all}")));
            }
        }
        Ok(config)
    }

    /// Sets the value of a key in the part that has it; says whether one has.
    fn set(&mut self, key: &str, value: &toml::Value) -> Result<bool, toml::de::Error> {
        let Self { source, data, optim, run, output } = self;
        Ok(set(source, key, value)?
            || set(data, key, value)?
            || set(optim, key, value)?
            || set(run, key, value)?
            || set(output, key, value)?)
    }

    fn table(&self) -> Result<Table> {
        Table::try_from(self).context("the settings have no form as TOML")
    }

    /// The recipe of a name, or of a file; and the keys that it sets.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not one.
    pub fn recipe(recipe: &str) -> Result<(Self, Vec<String>)> {
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
        let config = Self::from_toml(&origin, &text)?;
        let keys = text.parse::<Table>().map(|table| table.keys().cloned().collect()).unwrap_or_default();
        Ok((config, keys))
    }

    /// The configuration as TOML, every key written.
    ///
    /// # Errors
    ///
    /// If a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("the settings have no form as TOML")
    }

    /// Checks values that would make no run.
    ///
    /// # Errors
    ///
    /// Naming the key.
    pub fn validate(&self) -> Result<()> {
        // A run is gone on with by what stands in its file.
        let text = self.to_toml()?;
        if let Some(line) = text.lines().find(|line| line.parse::<Table>().is_err()) {
            bail!(
                "the setting '{line}' cannot be used: it could not be read back from the run's file; give a smaller number"
            );
        }
        self.source.reading()?;
        self.data.validate()?;
        self.optim.validate()?;
        self.run.validate()?;
        let fault = |key: &str, problem: &str| Err(anyhow!("the setting '{key}' cannot be used: {problem}"));
        if self.output.response_tokens == 0 {
            return fault("response_tokens", "it has to be at least 1");
        }
        let SourceConfig { train_data, val_data, test_data, .. } = &self.source;
        if train_data.is_empty() && !(val_data.is_empty() && test_data.is_empty()) {
            let problem = "it goes with training data of its own (--train-data); --data is split into its parts";
            return fault(if val_data.is_empty() { "test_data" } else { "val_data" }, problem);
        }
        if !train_data.is_empty() && (self.data.split_seed != 0 || self.data.split != Fractions::default()) {
            let key = if self.data.split_seed == 0 { "split" } else { "split_seed" };
            return fault(key, "training data of its own ('train_data') is not split");
        }
        Ok(())
    }
}

/// Sets the value of a key in a part, if it is one of its keys.
fn set<P: Serialize + for<'a> Deserialize<'a>>(
    part: &mut P,
    key: &str,
    value: &toml::Value,
) -> Result<bool, toml::de::Error> {
    let Ok(mut table) = Table::try_from(&*part) else { return Ok(false) };
    let Some(place) = table.get_mut(key) else { return Ok(false) };
    *place = value.clone();
    *part = table.try_into()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use gptune_data::Order;

    use super::*;

    #[test]
    fn toml_round_trips_and_partial_recipes_keep_defaults() {
        let mut config = RunConfig::default();
        config.optim.lr = 1e-3;
        config.optim.freeze = vec!["wte".to_owned()];
        assert_eq!(RunConfig::from_toml("x", &config.to_toml().unwrap()).unwrap(), config);
        let partial = RunConfig::from_toml("x", "epochs = 5\norder = \"length\"").unwrap();
        let mut wanted = RunConfig::default();
        (wanted.run.epochs, wanted.run.order) = (5, Order::Length);
        assert_eq!(partial, wanted);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let mut config = RunConfig::default();
        config.run.epochs = usize::MAX;
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("'epochs = 18446744073709551615'"), "{error}");
        config.run.epochs = 3;
        config.validate().unwrap();
    }

    #[test]
    fn no_two_parts_have_a_key_in_common() {
        let config = RunConfig::default();
        let keys = |part: Result<Table, toml::ser::Error>| part.unwrap().len();
        let parts = keys(Table::try_from(&config.source))
            + keys(Table::try_from(&config.data))
            + keys(Table::try_from(&config.optim))
            + keys(Table::try_from(&config.run))
            + keys(Table::try_from(&config.output));
        assert_eq!(config.table().unwrap().len(), parts);
    }

    #[test]
    fn unknown_keys_and_values_of_another_kind_are_refused_by_name_and_line() {
        let error = |text| RunConfig::from_toml("r.toml", text).unwrap_err().to_string();
        let unknown = error("epochs = 2\nepoch = 3");
        assert!(unknown.contains("r.toml, line 2") && unknown.contains("unknown key 'epoch'"), "{unknown}");
        let kind = error("lr = 1e-4\n\nepochs = \"two\"");
        assert!(kind.contains("r.toml, line 3: 'epochs'") && kind.contains("invalid type"), "{kind}");
        assert!(error("lr = ").contains("r.toml, line 1"));
    }
}
