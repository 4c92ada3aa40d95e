//! AdamW over a model, its state by the names of the parameters.

use std::{any::Any, collections::BTreeMap};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};
use gptune_kernels::{AdamWStep, adamw_start, adamw_step, squared_norm};
use gptune_model::Gpt2;

/// What AdamW is told once, with PyTorch's defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay rates of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub eps: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8 }
    }
}

/// What AdamW is told of a parameter at each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Learning rate.
    pub lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

/// The first and second moment of a parameter's gradients.
pub(crate) type Moments<const D: usize> = [Tensor<D>; 2];

/// AdamW and its state.
///
/// State belongs to a parameter by its *name*, as in a checkpoint of the model: what identifies a parameter in Burn is
/// drawn at random whenever a model is loaded.
pub struct Optimizer {
    adamw: AdamW,
    /// Updates made.
    pub(crate) time: u32,
    /// [`Moments`] of the parameter's rank.
    moments: BTreeMap<String, Box<dyn Any + Send>>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.moments.keys().collect();
        f.debug_struct("Optimizer").field("adamw", &self.adamw).field("time", &self.time).field("of", &names).finish()
    }
}

impl Optimizer {
    /// An optimizer that has made no update.
    #[must_use]
    pub fn new(adamw: AdamW) -> Self {
        Self { adamw, time: 0, moments: BTreeMap::new() }
    }

    /// One update of every parameter that has a gradient. `rates` are asked for each parameter, and gradients
    /// are multiplied by `scale` first, which clipping makes smaller than 1.
    #[must_use]
    pub fn apply(&mut self, model: Gpt2, gradients: GradientsParams, rates: &Rating<'_>, scale: f32) -> Gpt2 {
        self.time += 1;
        model.map(&mut Update { optimizer: self, gradients, rates, scale, path: Vec::new() })
    }

    /// The moments of a parameter of this rank, if it was updated.
    pub(crate) fn moments<const D: usize>(&self, name: &str) -> Option<&Moments<D>> {
        self.moments.get(name)?.downcast_ref()
    }

    /// Takes up moments that were stored.
    pub(crate) fn restore<const D: usize>(&mut self, name: String, moments: Moments<D>) {
        self.moments.insert(name, Box::new(moments));
    }
}

/// Says what AdamW is told of the parameter of a name and a number of dimensions.
pub type Rating<'a> = dyn Fn(&str, usize) -> Rates + 'a;

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    gradients: GradientsParams,
    rates: &'a Rating<'a>,
    scale: f32,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let (id, parameter, mapper) = param.consume();
        let name = self.path.join(".");
        let Rates { lr, weight_decay } = (self.rates)(&name, D);
        let Optimizer { adamw, time, moments } = &mut *self.optimizer;
        let step = AdamWStep {
            lr,
            betas: adamw.betas,
            eps: adamw.eps,
            weight_decay,
            step: i32::try_from(*time).unwrap_or(i32::MAX),
            gradient_scale: self.scale,
        };
        // In place: neither the parameter nor a moment may have another owner meanwhile.
        let parameter = parameter.inner();
        let stored = moments.remove(&name).and_then(|moments| moments.downcast::<Moments<D>>().ok());
        let [parameter, moment_1, moment_2] = match stored {
            Some(stored) => {
                let [moment_1, moment_2] = *stored;
                [parameter, moment_1, moment_2]
            }
            None => adamw_start(&parameter),
        };
        let [parameter, moment_1, moment_2] = adamw_step([parameter, gradient, moment_1, moment_2], &step);
        moments.insert(name, Box::new([moment_1, moment_2]));
        Param::from_mapped_value(id, Tensor::from_inner(parameter).require_grad(), mapper)
    }
}

/// The norm of all gradients together.
pub(crate) fn norm(model: &Gpt2, gradients: &GradientsParams) -> f64 {
    struct Squares<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += squared_norm(gradient);
            }
        }
    }
    let mut squares = Squares(gradients, 0.0);
    model.visit(&mut squares);
    squares.1.sqrt()
}
