//! Where GPT-2's released weights are.

/// Names of the released models, each with its repository on the Hugging Face Hub.
pub const GPT2_NAMES: [(&str, &str); 8] = [
    ("gpt2", "openai-community/gpt2"),
    ("gpt2-medium", "openai-community/gpt2-medium"),
    ("gpt2-large", "openai-community/gpt2-large"),
    ("gpt2-xl", "openai-community/gpt2-xl"),
    ("124M", "openai-community/gpt2"),
    ("355M", "openai-community/gpt2-medium"),
    ("774M", "openai-community/gpt2-large"),
    ("1558M", "openai-community/gpt2-xl"),
];

/// The repository of a released model.
#[must_use]
pub fn gpt2_repository(name: &str) -> Option<&'static str> {
    GPT2_NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, repository)| repository)
}

/// OpenAI's original release of a GPT-2: a TensorFlow checkpoint and the model's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAi {
    /// `124M`, `355M`, `774M` or `1558M`: the name of its folder.
    pub size: &'static str,
}

impl OpenAi {
    /// Files of a release that hold the model.
    pub const FILES: [&str; 5] =
        ["checkpoint", "hparams.json", "model.ckpt.index", "model.ckpt.meta", "model.ckpt.data-00000-of-00001"];

    /// OpenAI's own server, and the copy that the book names for when that does not answer.
    pub const BASES: [&str; 2] = [
        "https://openaipublic.blob.core.windows.net/gpt-2/models",
        "https://f001.backblazeb2.com/file/LLMs-from-scratch/gpt2",
    ];

    /// The release of a model by either of its names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let repository = gpt2_repository(name)?;
        let is_size = |(size, of): &(&'static str, &str)| of == &repository && size.ends_with('M');
        GPT2_NAMES.into_iter().find(is_size).map(|(size, _)| Self { size })
    }

    /// Addresses of its folder, under these bases.
    #[must_use]
    pub fn folders(self, bases: &[&str]) -> Vec<String> {
        bases.iter().map(|base| format!("{}/{}", base.trim_end_matches('/'), self.size)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_model_are_the_same_release() {
        for (name, size) in [("gpt2", "124M"), ("124M", "124M"), ("gpt2-xl", "1558M"), ("774M", "774M")] {
            assert_eq!(OpenAi::named(name), Some(OpenAi { size }));
        }
        assert_eq!(OpenAi::named("gpt3"), None);
        assert_eq!(gpt2_repository("355M"), gpt2_repository("gpt2-medium"));
    }
}
