//! Which parameters are trained.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::Tensor,
};
use glob::Pattern;
use gptune_model::Gpt2;

use crate::{OptimConfig, TrainError};

/// Which parameters are trained, by patterns of their names.
///
/// A pattern is a parameter's name or a module's, which stands for all that is in it: `wte`, `h.0`, `h.*.mlp`,
/// `h.1?.attn.c_attn.bias`; `*` is any letters, `?` one. Names may begin with `transformer.`, as Hugging Face's do.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    freeze: Vec<Pattern>,
    only: Vec<Pattern>,
}

impl Selection {
    /// # Errors
    ///
    /// [`TrainError::Setting`] for a pattern that is none.
    pub(crate) fn new(config: &OptimConfig) -> Result<Self, TrainError> {
        let patterns = |key, texts: &[String]| {
            let pattern = |text: &String| {
                let name = text.strip_prefix("transformer.").unwrap_or(text);
                Pattern::new(name)
                    .map_err(|error| TrainError::Setting { key, problem: format!("'{text}' is no pattern: {error}") })
            };
            texts.iter().map(pattern).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { freeze: patterns("freeze", &config.freeze)?, only: patterns("train_only", &config.train_only)? })
    }

    /// Whether the parameter of a name is trained.
    fn contains(&self, name: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| names(pattern, name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.freeze)
    }

    /// Makes sure that every pattern names something, and that something is left to train.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] with the names that there are.
    pub(crate) fn check(&self, model: &Gpt2) -> Result<(), TrainError> {
        let all = parameter_names(model);
        for (key, patterns) in [("freeze", &self.freeze), ("train_only", &self.only)] {
            if let Some(pattern) = patterns.iter().find(|pattern| !all.iter().any(|name| names(pattern, name))) {
                let some = all.iter().filter(|name| !name.starts_with("h.") || name.starts_with("h.0."));
                let some: Vec<&str> = some.map(String::as_str).collect();
                let problem = format!("'{pattern}' names no parameter; there are {}, …", some.join(", "));
                return Err(TrainError::Setting { key, problem });
            }
        }
        if !all.iter().any(|name| self.contains(name)) {
            let key = if self.freeze.is_empty() { "train_only" } else { "freeze" };
            return Err(TrainError::Setting { key, problem: "no parameter is left to train".to_owned() });
        }
        Ok(())
    }

    /// Numbers in the parameters of `model` that are trained.
    pub(crate) fn numbers(&self, model: &Gpt2) -> usize {
        let mut visit = Visit::default();
        model.visit(&mut visit);
        visit.names.iter().zip(visit.sizes).filter(|(name, _)| self.contains(name)).map(|(_, size)| size).sum()
    }

    /// Has gradients computed for what is trained, and for nothing else.
    pub(crate) fn mark(&self, model: Gpt2) -> Gpt2 {
        if self.freeze.is_empty() && self.only.is_empty() {
            return model;
        }
        model.map(&mut Mark { trained: self, path: Vec::new() })
    }
}

/// Whether a pattern is that of a parameter, or of a module around it.
fn names(pattern: &Pattern, name: &str) -> bool {
    let modules = name.match_indices('.').map(|(end, _)| &name[..end]);
    modules.chain([name]).any(|name| pattern.matches(name))
}

struct Mark<'a> {
    trained: &'a Selection,
    path: Vec<String>,
}

impl ModuleMapper for Mark<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let trained = self.trained.contains(&self.path.join("."));
        param.set_require_grad(trained)
    }
}

/// The names of all parameters.
fn parameter_names(model: &Gpt2) -> Vec<String> {
    let mut visit = Visit::default();
    model.visit(&mut visit);
    visit.names
}

#[derive(Default)]
struct Visit {
    path: Vec<String>,
    names: Vec<String>,
    sizes: Vec<usize>,
}

impl ModuleVisitor for Visit {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.push(self.path.join("."));
        self.sizes.push(param.lazy_shape().num_elements());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(freeze: &[&str], only: &[&str]) -> Selection {
        let owned = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let config = OptimConfig { freeze: owned(freeze), train_only: owned(only), ..OptimConfig::default() };
        Selection::new(&config).unwrap()
    }

    #[test]
    fn patterns_name_parameters_and_modules() {
        let trained = trained(&["wte", "h.1?", "*.ln_*"], &["transformer.h.*", "wte", "ln_f"]);
        for (name, wanted) in [
            ("wte.weight", false),
            ("wpe.weight", false),
            ("h.1.attn.c_attn.weight", true),
            ("h.11.attn.c_attn.weight", false),
            ("h.1.ln_1.weight", false),
            ("ln_f.weight", true),
        ] {
            assert_eq!(trained.contains(name), wanted, "{name}");
        }
    }

    #[test]
    fn patterns_of_nothing_are_refused() {
        let model = crate::self_check::small_model();
        let fault = |trained: &Selection| trained.check(&model).unwrap_err().to_string();
        let error = fault(&trained(&["h.*.atn"], &[]));
        assert!(error.contains("'freeze'") && error.contains("'h.*.atn' names no parameter"), "{error}");
        assert!(error.contains("h.0.attn.c_attn.weight") && !error.contains("h.1."), "{error}");
        assert!(fault(&trained(&["*"], &[])).contains("no parameter is left"));
        assert!(fault(&trained(&["ln_f"], &["ln_f.bias"])).contains("no parameter is left"));
        let config = OptimConfig { freeze: vec!["h.[".to_owned()], ..OptimConfig::default() };
        assert!(Selection::new(&config).unwrap_err().to_string().contains("'h.[' is no pattern"));
    }
}
