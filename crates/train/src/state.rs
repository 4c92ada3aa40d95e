//! Everything of a run that changes.

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{Tensor, TensorData},
};
use gptune_data::{Order, OrderStream};
use gptune_kernels::adamw_resume;
use gptune_model::Gpt2;
use gptune_run::{Best, Checkpoint, Progress, RunError, Stored};

use crate::{Optimizer, precision::LossScale};

/// Before the names of parameters, and of their moments, among stored tensors; the latter as in PyTorch.
const PARAMETER: &str = "model.";
const MOMENT_1: &str = "exp_avg.";
const MOMENT_2: &str = "exp_avg_sq.";
/// States of generators.
const ORDER: &str = "order";
const EVALUATION_ORDER: &str = "evaluation_order";
/// The order of the examples in the epoch.
const PERMUTATION: &str = "permutation";

/// Everything of a run that changes: what can be kept and gone on with.
#[derive(Debug)]
pub struct TrainState {
    /// The model, on a device with autodiff.
    pub model: Gpt2,
    /// Moments and their time.
    pub optimizer: Optimizer,
    /// Of products in `f16`.
    pub(crate) loss_scale: Option<LossScale>,
    /// What orders are drawn from.
    pub(crate) order: OrderStream,
    /// What the orders of evaluations are drawn from, where that shall not matter for training.
    pub(crate) evaluation_order: Option<OrderStream>,
    /// Counting from 1.
    pub(crate) epoch: usize,
    /// The order of the examples in this epoch.
    pub(crate) permutation: Vec<usize>,
    /// Steps taken in this epoch.
    pub(crate) in_epoch: usize,
    /// Steps taken.
    pub(crate) step: usize,
    /// Steps that were taken when the last evaluation was made, or found to be none.
    pub(crate) evaluated: usize,
    /// Steps that updated something.
    pub(crate) updates: usize,
    /// The lowest validation loss of an evaluation after a step.
    pub(crate) best: Option<Best>,
    /// Evaluations since then.
    pub(crate) waited: usize,
    /// Padded training tokens.
    pub(crate) tokens_seen: usize,
    /// Loss of the newest step.
    pub(crate) loss: f64,
    /// Duration so far, in seconds.
    pub(crate) seconds: f64,
}

impl TrainState {
    /// The state before the first step.
    pub(crate) fn new(model: Gpt2, optimizer: Optimizer, loss_scale: Option<LossScale>, order: OrderStream) -> Self {
        // In PyTorch's order evaluations draw from the same stream; in the others they shall not matter.
        let evaluation_order = (order.order() != Order::Torch).then(|| order.clone());
        Self {
            model,
            optimizer,
            loss_scale,
            order,
            evaluation_order,
            epoch: 1,
            permutation: Vec::new(),
            in_epoch: 0,
            step: 0,
            evaluated: 0,
            updates: 0,
            best: None,
            waited: 0,
            tokens_seen: 0,
            loss: f64::NAN,
            seconds: 0.0,
        }
    }

    /// How far the training is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            epoch: self.epoch,
            in_epoch: self.in_epoch,
            step: self.step,
            evaluated: self.evaluated,
            updates: self.updates,
            best: self.best,
            waited: self.waited,
            optimizer_time: self.optimizer.time,
            tokens_seen: self.tokens_seen,
            loss: self.loss,
            loss_scale: self.loss_scale.as_ref().map(|scale| (scale.factor, scale.finite_steps)),
            seconds: self.seconds,
        }
    }

    /// Everything else, by name: parameters, moments, generators. Numbers are fetched when they are written, so that one
    /// tensor's are held at a time.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Stored)> {
        let mut collect = Collect { optimizer: &self.optimizer, path: Vec::new(), found: Vec::new() };
        self.model.visit(&mut collect);
        let mut found = collect.found;
        found.push((ORDER.to_owned(), Stored::words(self.order.to_words())));
        if let Some(order) = &self.evaluation_order {
            found.push((EVALUATION_ORDER.to_owned(), Stored::words(order.to_words())));
        }
        let place = |&place: &usize| u32::try_from(place).unwrap_or_else(|_| unreachable!("fewer examples than 2^32"));
        found.push((PERMUTATION.to_owned(), Stored::words(self.permutation.iter().map(place).collect())));
        found
    }

    /// The state that was stored, with a model of the same sizes on its device to fill, and an optimizer that has made no
    /// update.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] naming what is missing or of another size.
    pub fn restore(checkpoint: &Checkpoint, model: Gpt2, optimizer: Optimizer, order: Order) -> Result<Self, RunError> {
        let progress = checkpoint.progress().clone();
        let mut fill = Fill { checkpoint, optimizer, path: Vec::new(), fault: None };
        let model = model.map(&mut fill);
        let Fill { mut optimizer, fault, .. } = fill;
        if let Some(fault) = fault {
            return Err(fault);
        }
        optimizer.time = progress.optimizer_time;
        let stream = |name: &str| {
            let words = checkpoint.words(name)?;
            OrderStream::from_words(order, &words)
                .ok_or_else(|| checkpoint.fault(format!("'{name}' is no state of a generator")))
        };
        let permutation = checkpoint.words(PERMUTATION)?;
        Ok(Self {
            model,
            optimizer,
            loss_scale: progress.loss_scale.map(|(factor, finite_steps)| LossScale { factor, finite_steps }),
            order: stream(ORDER)?,
            evaluation_order: if checkpoint.has(EVALUATION_ORDER) { Some(stream(EVALUATION_ORDER)?) } else { None },
            epoch: progress.epoch,
            permutation: permutation.into_iter().map(|place| place as usize).collect(),
            in_epoch: progress.in_epoch,
            step: progress.step,
            evaluated: progress.evaluated,
            updates: progress.updates,
            best: progress.best,
            waited: progress.waited,
            tokens_seen: progress.tokens_seen,
            loss: progress.loss,
            seconds: progress.seconds,
        })
    }
}

/// Collects parameters and their moments by name.
struct Collect<'a> {
    optimizer: &'a Optimizer,
    path: Vec<String>,
    found: Vec<(String, Stored)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let stored = |tensor: Tensor<D>| {
            let shape = tensor.dims().to_vec();
            let numbers = move || {
                let data = tensor.clone().into_data().try_into_vec();
                data.unwrap_or_else(|error| unreachable!("parameters and moments are f32: {error:?}"))
            };
            Stored::Floats { shape, numbers: Box::new(numbers) }
        };
        self.found.push((format!("{PARAMETER}{name}"), stored(param.val().inner())));
        if let Some([moment_1, moment_2]) = self.optimizer.moments::<D>(&name) {
            self.found.push((format!("{MOMENT_1}{name}"), stored(moment_1.clone())));
            self.found.push((format!("{MOMENT_2}{name}"), stored(moment_2.clone())));
        }
    }
}

/// Fills a model, and an optimizer with the moments of its parameters.
struct Fill<'a> {
    checkpoint: &'a Checkpoint,
    optimizer: Optimizer,
    path: Vec<String>,
    fault: Option<RunError>,
}

impl Fill<'_> {
    fn read<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Result<Tensor<D>, RunError> {
        let (name, shape, device) = (self.path.join("."), param.lazy_shape(), param.lazy_device().inner());
        let sizes = shape.to_vec();
        let read = |prefix: &str| {
            let numbers = self.checkpoint.floats(&format!("{prefix}{name}"), &sizes)?;
            Ok::<_, RunError>(Tensor::<D>::from_data(TensorData::new(numbers, shape.clone()), &device))
        };
        let parameter = read(PARAMETER)?;
        // A parameter that was never updated has none.
        if !self.checkpoint.has(&format!("{MOMENT_1}{name}")) {
            return Ok(parameter);
        }
        let [parameter, moment_1, moment_2] = adamw_resume([parameter, read(MOMENT_1)?, read(MOMENT_2)?]);
        self.optimizer.restore(name, [moment_1, moment_2]);
        Ok(parameter)
    }
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.fault.is_some() {
            return param;
        }
        match self.read(&param) {
            Ok(tensor) => Param::initialized(ParamId::new(), Tensor::from_inner(tensor).require_grad()),
            Err(fault) => {
                self.fault = Some(fault);
                param
            }
        }
    }
}
