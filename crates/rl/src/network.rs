//! Q-networks: an observation in, one value an action out.

use quire_core::{Error, Result, Rng};
use quire_env::Space;
use quire_nn::{
    Activation, Conv2d, Graph, Init, Linear, Mlp, MlpConfig, NoisyLinear, Params, Scratch, Tape, Tensor,
    View, factor_noise,
};
use quire_optim::Layout;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of a Q-network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QNetworkOptions {
    /// Convolutions before the hidden layers, each followed by ReLU; for observations of shape [channels, height, width]
    /// only, others ignore them. Paper: 32 of 8 x 8 with stride 4, 64 of 4 x 4 with stride 2, 64 of 3 x 3.
    pub convolutions: Vec<ConvolutionOptions>,
    /// Largest value of an element of an image observation, by which it is divided. Paper: 255.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub image_scale: f64,
    /// Whether the entries of a vector observation whose bounds are finite are mapped to [-1, 1]; images ignore it. Paper:
    /// images only.
    pub scale_bounded: bool,
    /// Widths of the fully connected hidden layers, each followed by ReLU. Paper: one of 512.
    #[schemars(inner(range(min = 1, max = 16_384)))]
    pub hidden: Vec<usize>,
    /// Whether all action values share one bias in the last layer, as in the paper's tuned version.
    pub shared_bias: bool,
}

impl Default for QNetworkOptions {
    fn default() -> Self {
        let convolution = |channels, kernel, stride| ConvolutionOptions { channels, kernel, stride };
        QNetworkOptions {
            convolutions: vec![convolution(32, 8, 4), convolution(64, 4, 2), convolution(64, 3, 1)],
            image_scale: 255.0,
            scale_bounded: false,
            hidden: vec![512],
            shared_bias: false,
        }
    }
}

/// One convolution without padding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionOptions {
    /// Output channels.
    #[schemars(range(min = 1, max = 4096))]
    pub channels: usize,
    /// Height and width of the kernel.
    #[schemars(range(min = 1))]
    pub kernel: usize,
    /// Step of the kernel in both directions.
    #[schemars(range(min = 1))]
    pub stride: usize,
}

/// What a network has beyond the one value an action of a Q-network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Form {
    /// Numbers for each action: 1 is the action's value, more tell of the distribution of its returns.
    pub numbers: usize,
    /// Heads, networks side by side that share the convolutions and the first hidden layers.
    pub heads: usize,
    /// Hidden layers that come before the heads; there may be fewer.
    pub shared_layers: usize,
    /// The initial scale of the noise on the weights of all fully connected layers, if they have any.
    pub noise: Option<f64>,
}

impl Default for Form {
    fn default() -> Self {
        Form { numbers: 1, heads: 1, shared_layers: 0, noise: None }
    }
}

/// The shape of a Q-network; its weights live in a [`Params`].
///
/// It is made of two parts: *features* of the observation - convolutions and shared layers, or the observation itself - and the
/// *heads* that make values of them.
#[derive(Debug, Clone)]
pub struct QNetwork {
    /// For image observations.
    image: Option<Image>,
    /// For vector observations that are scaled: what each entry is multiplied by, and what is then added to it.
    scaling: Option<Vec<(f32, f32)>>,
    shared: Option<Mlp>,
    body: Body,
    observation: usize,
    features: usize,
    heads: usize,
}

#[derive(Debug, Clone)]
struct Image {
    /// Channels, height, width.
    shape: [usize; 3],
    scale: f64,
    convolutions: Vec<Conv2d>,
    features: usize,
}

/// There is one a network, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone)]
enum Body {
    /// Fully connected, a bias for each output.
    Plain(Mlp),
    /// Fully connected, one bias for all outputs.
    SharedBias { hidden: Option<Mlp>, head: Linear, bias: View },
    /// Fully connected with noise on all weights: the factors of each layer's inputs and outputs one after the other, or
    /// none while the noise is off.
    Noisy { layers: Vec<NoisyLinear>, noise: Vec<f32> },
}

impl QNetwork {
    /// Registers the weights in `params`, drawn as PyTorch's defaults are.
    ///
    /// # Errors
    /// Convolutions that do not fit into the image, and options that the form does not go with.
    pub fn new(
        params: &mut Params<f32>,
        observation: &Space,
        actions: usize,
        options: &QNetworkOptions,
        form: Form,
        rng: &mut Rng,
    ) -> Result<Self> {
        let image = match *observation.shape() {
            [channels, height, width] => Some(Image::new(params, [channels, height, width], options, rng)?),
            _ => None,
        };
        let scaling = (options.scale_bounded && image.is_none()).then(|| scaling(observation));
        let seen = image.as_ref().map_or(observation.size(), |image| image.features);
        let (before, after) = options.hidden.split_at(form.shared_layers.min(options.hidden.len()));
        let hidden_config = |sizes: &[usize], ensemble| MlpConfig {
            sizes: sizes.to_vec(),
            output_activation: Activation::Relu,
            ensemble,
            ..MlpConfig::default()
        };
        let shared = (!before.is_empty()).then(|| {
            let sizes: Vec<usize> = [seen].iter().chain(before).copied().collect();
            Mlp::new(params, "shared", &hidden_config(&sizes, 1), rng)
        });
        let features = before.last().copied().unwrap_or(seen);
        let mut sizes: Vec<usize> = [features].iter().chain(after).copied().collect();
        let (heads, outputs) = (form.heads, actions * form.numbers);
        let body = if let Some(scale) = form.noise {
            if options.shared_bias {
                return Err(Error::option("network.shared_bias", "does not go with weights that have noise"));
            }
            sizes.push(outputs);
            let mut layer = |(index, pair): (usize, &[usize])| {
                let last = index + 2 == sizes.len();
                let activation = if last { Activation::None } else { Activation::Relu };
                let name = format!("noisy.{index}");
                NoisyLinear::new(params, &name, pair[0], pair[1], scale, rng).activated(activation)
            };
            Body::Noisy { layers: sizes.windows(2).enumerate().map(&mut layer).collect(), noise: Vec::new() }
        } else if options.shared_bias {
            let hidden =
                (sizes.len() > 1).then(|| Mlp::new(params, "hidden", &hidden_config(&sizes, heads), rng));
            let shape = [heads, sizes[sizes.len() - 1], outputs];
            let head = Linear::with(params, "head", shape, Init::KaimingUniform, None, rng);
            let shape = [heads, 1, 1];
            let shape = &shape[..if heads == 1 { 1 } else { 3 }];
            Body::SharedBias { hidden, head, bias: params.add("head.shared_bias", shape, Init::Zeros, rng) }
        } else {
            sizes.push(outputs);
            let config = MlpConfig { sizes, ensemble: heads, ..MlpConfig::default() };
            Body::Plain(Mlp::new(params, "q", &config, rng))
        };
        Ok(QNetwork { image, scaling, shared, body, observation: observation.size(), features, heads })
    }

    /// The width of the features.
    pub fn features_size(&self) -> usize {
        self.features
    }

    /// Turns the noise on the weights off: they are their means.
    pub fn silence(&mut self) {
        if let Body::Noisy { noise, .. } = &mut self.body {
            noise.clear();
        }
    }

    /// Draws the noise on the weights anew.
    pub fn draw_noise(&mut self, rng: &mut Rng) {
        if let Body::Noisy { layers, noise } = &mut self.body {
            noise.resize(layers.iter().flat_map(NoisyLinear::sizes).sum(), 0.0);
            factor_noise(rng, noise);
        }
    }

    /// The numbers of all actions for a batch: `[batch, observation]` in, `[heads, batch, outputs]` out.
    ///
    /// The heads' gradients add up in the features, and each counts for one over their number, as Osband et al. (2016) do.
    pub fn forward<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        observations: &[f32],
    ) -> Tensor<'g, f32> {
        let features = self.features(graph, params, observations);
        let share = 1.0 / self.heads as f32;
        let shared = self.heads > 1 && features.is_recorded();
        let features = if shared { features.map(|x| x, move |_, _| share) } else { features };
        self.head(graph, params, features)
    }

    /// The features of a batch: `[batch, observation]` in, `[1, batch, features]` out.
    pub fn features<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        observations: &[f32],
    ) -> Tensor<'g, f32> {
        let batch = observations.len() / self.observation;
        let x = match (&self.image, &self.scaling) {
            (Some(image), _) => image.forward(graph, params, batch, observations),
            (None, None) => graph.constant(&[1, batch, self.observation], observations),
            (None, Some(scaling)) => graph.constant_with(&[1, batch, self.observation], |x| {
                let rows =
                    x.chunks_exact_mut(self.observation).zip(observations.chunks_exact(self.observation));
                rows.for_each(|(x, observation)| scale(scaling, observation, x));
            }),
        };
        self.shared.as_ref().map_or(x, |shared| shared.forward(graph, params, x))
    }

    /// What the heads make of features: `[1, rows, features]` in, `[heads, rows, outputs]` out.
    pub fn head<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        features: Tensor<'g, f32>,
    ) -> Tensor<'g, f32> {
        match &self.body {
            Body::Plain(mlp) => mlp.forward(graph, params, features),
            Body::SharedBias { hidden, head, bias } => {
                let x = hidden.as_ref().map_or(features, |hidden| hidden.forward(graph, params, features));
                head.forward(graph, params, x) + graph.param(params, *bias)
            }
            Body::Noisy { layers, noise } => {
                let mut rest = &noise[..];
                layers.iter().fold(features, |x, layer| {
                    let factors = (!rest.is_empty()).then(|| {
                        layer.sizes().map(|size| {
                            let (factors, others) = rest.split_at(size);
                            rest = others;
                            graph.constant(&[size], factors)
                        })
                    });
                    layer.forward(graph, params, x, factors)
                })
            }
        }
    }

    /// The numbers of all actions for one observation, `[heads, outputs]`.
    pub fn infer<'w>(
        &self,
        params: &Params<f32>,
        observation: &[f32],
        workspace: &'w mut Workspace,
    ) -> &'w [f32] {
        let Workspace { scratch, tape, values } = workspace;
        match (&self.image, &self.shared, &self.body) {
            (None, None, Body::Plain(mlp)) => match &self.scaling {
                None => mlp.infer(params, observation, scratch),
                Some(scaling) => {
                    values.resize(observation.len(), 0.0);
                    scale(scaling, observation, values);
                    mlp.infer(params, values, scratch)
                }
            },
            _ => {
                let graph = tape.graph();
                let q = graph.no_grad(|| self.forward(graph, params, observation));
                values.clear();
                values.extend_from_slice(q.data());
                values
            }
        }
    }
}

/// Factor and shift that map each entry with finite bounds to [-1, 1] and leave the others as they are.
fn scaling(observation: &Space) -> Vec<(f32, f32)> {
    let Space::Box { low, high, .. } = observation else {
        return vec![(1.0, 0.0); observation.size()];
    };
    let entry = |(&low, &high): (&f32, &f32)| {
        let factor = 2.0 / (high - low);
        // Bounds that stand for none, such as the largest number, are left alone like infinite ones.
        if factor.is_finite() && factor > 1e-6 { (factor, -1.0 - low * factor) } else { (1.0, 0.0) }
    };
    low.iter().zip(high).map(entry).collect()
}

fn scale(scaling: &[(f32, f32)], observation: &[f32], scaled: &mut [f32]) {
    let entries = scaled.iter_mut().zip(observation).zip(scaling);
    entries.for_each(|((scaled, value), (factor, shift))| *scaled = value * factor + shift);
}

impl Image {
    fn new(
        params: &mut Params<f32>,
        shape: [usize; 3],
        options: &QNetworkOptions,
        rng: &mut Rng,
    ) -> Result<Self> {
        let [mut channels, mut height, mut width] = shape;
        let mut convolutions = Vec::new();
        for (index, convolution) in options.convolutions.iter().enumerate() {
            let ConvolutionOptions { channels: outputs, kernel, stride } = *convolution;
            if kernel > height || kernel > width {
                let problem = format!("a kernel of {kernel} x {kernel} does not fit into {height} x {width}");
                return Err(Error::option("network.convolutions", problem));
            }
            let name = format!("convolution.{index}");
            convolutions.push(Conv2d::new(
                params,
                &name,
                [channels, outputs],
                [kernel; 2],
                [stride; 2],
                [0; 2],
                rng,
            ));
            channels = outputs;
            height = (height - kernel) / stride + 1;
            width = (width - kernel) / stride + 1;
        }
        Ok(Image { shape, scale: options.image_scale, convolutions, features: channels * height * width })
    }

    /// `[batch, channels x height x width]` in, `[1, batch, features]` out.
    fn forward<'g>(
        &self,
        graph: Graph<'g, f32>,
        params: &'g Params<f32>,
        batch: usize,
        observations: &[f32],
    ) -> Tensor<'g, f32> {
        let [channels, height, width] = self.shape;
        let scale = 1.0 / self.scale as f32;
        let x = graph.constant_with(&[batch, channels, height, width], |x| {
            x.iter_mut().zip(observations).for_each(|(x, value)| *x = value * scale);
        });
        let convolve = |x, layer: &Conv2d| layer.forward(graph, params, x).relu();
        self.convolutions.iter().fold(x, convolve).reshape(&[1, batch, self.features])
    }
}

/// Memory that acting works in.
pub struct Workspace {
    scratch: Scratch<f32>,
    /// For what acting computes on a tape.
    pub tape: Tape<f32>,
    values: Vec<f32>,
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace { scratch: Scratch::new(), tape: Tape::new(1), values: Vec::new() }
    }
}

/// Weights that a learner's networks may have between their hidden layers: 1 GiB, of which optimizers and target networks
/// hold several copies. A slip of the pen must not end in a process that the system kills.
const MOST_WEIGHTS: u128 = 1 << 28;

/// Checks that `copies` networks with these hidden layers can be held in memory.
///
/// # Errors
/// [`Error::Option`] for `option`, the name of the option that holds the widths.
pub fn check_widths(option: &str, hidden: &[usize], copies: usize) -> Result<()> {
    let products = hidden.windows(2).map(|pair| pair[0] as u128 * pair[1] as u128);
    let between = products.fold(0_u128, u128::saturating_add);
    let weights = between.saturating_mul(copies as u128);
    if weights > MOST_WEIGHTS {
        let problem = format!("makes {weights} weights; at most {MOST_WEIGHTS} are supported");
        return Err(Error::option(option, problem));
    }
    Ok(())
}

/// The names and shapes of parameters, as an optimizer takes them.
pub fn layout(params: &Params<f32>) -> Layout {
    params.iter().map(|(name, shape, _)| (name, shape)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn networks_too_large_for_memory_are_refused_by_name() {
        assert!(check_widths("hidden", &[16_384, 16_384], 1).is_ok());
        let error = check_widths("hidden", &[16_384, 16_384], 2).unwrap_err().to_string();
        assert_eq!(error, "option `hidden`: makes 536870912 weights; at most 268435456 are supported");
        assert!(check_widths("hidden", &[usize::MAX; 4], usize::MAX).is_err());
        assert!(check_widths("hidden", &[], 10).is_ok());
    }

    fn network(shape: &[usize], options: &QNetworkOptions) -> (QNetwork, Params<f32>) {
        network_of(shape, options, Form::default())
    }

    fn network_of(shape: &[usize], options: &QNetworkOptions, form: Form) -> (QNetwork, Params<f32>) {
        let mut params = Params::new();
        let mut rng = Seeds::new(0).stream("network");
        let space = Space::uniform(-2.0, 1.0, shape);
        let network = QNetwork::new(&mut params, &space, 2, options, form, &mut rng).unwrap();
        (network, params)
    }

    #[test]
    fn one_observation_and_a_batch_agree() {
        let convolutions = vec![ConvolutionOptions { channels: 2, kernel: 2, stride: 1 }];
        for shared_bias in [false, true] {
            for shape in [&[12][..], &[3, 2, 2]] {
                let hidden = vec![16, 8];
                let options = QNetworkOptions {
                    convolutions: convolutions.clone(),
                    image_scale: 2.0,
                    scale_bounded: true,
                    hidden,
                    shared_bias,
                };
                let (network, params) = network(shape, &options);
                let observations: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
                let mut tape = Tape::new(1);
                let graph = tape.graph();
                let batch = network.forward(graph, &params, &observations);
                assert_eq!(batch.shape(), [1, 2, 2]);
                let mut workspace = Workspace::default();
                for (row, observation) in observations.chunks(12).enumerate() {
                    let single = network.infer(&params, observation, &mut workspace);
                    for (a, b) in single.iter().zip(&batch.data()[2 * row..]) {
                        assert!((a - b).abs() < 1e-6, "{single:?} {:?}", batch.data());
                    }
                }
            }
        }
    }

    #[test]
    fn bounded_entries_are_mapped_to_the_unit_interval() {
        let space = Space::bounded(&[-1.2, -0.07, f32::NEG_INFINITY], &[0.6, 0.07, 1.0]);
        let mut scaled = [0.0; 3];
        for (observation, expected) in
            [([-1.2, 0.07, 5.0], [-1.0, 1.0, 5.0]), ([0.6, 0.0, -3.0], [1.0, 0.0, -3.0])]
        {
            scale(&scaling(&space), &observation, &mut scaled);
            assert!(
                scaled.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6),
                "{scaled:?}"
            );
        }
    }

    /// The network of the paper for Atari: 4 frames of 84 x 84 in, 64 x 7 x 7 features before the hidden layer.
    #[test]
    fn the_papers_network_has_its_size() {
        let (_, params) = network(&[4, 84, 84], &QNetworkOptions::default());
        let convolutions = (4 * 64 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 9 + 1) * 64;
        assert_eq!(params.len(), convolutions + (64 * 7 * 7 + 1) * 512 + (512 + 1) * 2);
    }

    #[test]
    fn a_shared_bias_is_one_number() {
        let count = |shared_bias| {
            let options = QNetworkOptions { hidden: vec![5], shared_bias, ..QNetworkOptions::default() };
            network(&[3], &options).1.len()
        };
        assert_eq!(count(false), 3 * 5 + 5 + 5 * 2 + 2);
        assert_eq!(count(true), 3 * 5 + 5 + 5 * 2 + 1);
    }

    #[test]
    fn a_kernel_larger_than_the_image_is_refused() {
        let space = Space::uniform(0.0, 1.0, &[4, 5, 5]);
        let mut rng = Seeds::new(0).stream("network");
        let error = QNetwork::new(
            &mut Params::new(),
            &space,
            2,
            &QNetworkOptions::default(),
            Form::default(),
            &mut rng,
        )
        .unwrap_err();
        assert!(error.to_string().contains("`network.convolutions`"), "{error}");
    }

    /// Heads are networks of their own on common features, whatever the network is made of.
    #[test]
    fn heads_of_one_observation_and_a_batch_agree() {
        let convolutions = vec![ConvolutionOptions { channels: 2, kernel: 2, stride: 1 }];
        for (shared_bias, shared_layers) in [(false, 0), (false, 1), (true, 1), (true, 2), (false, 9)] {
            for shape in [&[12][..], &[3, 2, 2]] {
                let options = QNetworkOptions {
                    convolutions: convolutions.clone(),
                    hidden: vec![8, 6],
                    shared_bias,
                    ..QNetworkOptions::default()
                };
                let form = Form { heads: 3, shared_layers, ..Form::default() };
                let (network, params) = network_of(shape, &options, form);
                let observations: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
                let mut tape = Tape::new(1);
                let graph = tape.graph();
                let batch = network.forward(graph, &params, &observations);
                assert_eq!(batch.shape(), [3, 2, 2]);
                let mut workspace = Workspace::default();
                for (row, observation) in observations.chunks(12).enumerate() {
                    let single = network.infer(&params, observation, &mut workspace);
                    assert_eq!(single.len(), 6);
                    for (index, a) in single.iter().enumerate() {
                        let b = batch.data()[(index / 2 * 2 + row) * 2 + index % 2];
                        assert!((a - b).abs() < 1e-6, "{single:?} {:?}", batch.data());
                    }
                }
                assert_ne!(batch.data()[..4], batch.data()[4..8]);
            }
        }
    }

    /// The gradient of what is shared is the mean over the heads, that of each head its own.
    #[test]
    fn heads_share_the_gradient_of_the_features() {
        let options = QNetworkOptions { hidden: vec![5, 4], ..QNetworkOptions::default() };
        let form = Form { heads: 4, shared_layers: 1, ..Form::default() };
        let (network, params) = network_of(&[3], &options, form);
        let observations = [0.3, -0.5, 1.0];
        let mut tape = Tape::new(1);
        let gradient_of = |scaled: bool, tape: &mut Tape<f32>| {
            let graph = tape.graph();
            let values = if scaled {
                network.forward(graph, &params, &observations)
            } else {
                network.head(graph, &params, network.features(graph, &params, &observations))
            };
            let mut gradient = vec![0.0; params.len()];
            values.square().sum().gradient(&params, &mut gradient);
            gradient
        };
        let (scaled, plain) = (gradient_of(true, &mut tape), gradient_of(false, &mut tape));
        let shared = 3 * 5 + 5;
        assert!(plain[..shared].iter().any(|&g| g != 0.0));
        let close = |(a, b): (&f32, f32)| (a - b).abs() < 1e-6;
        assert!(scaled[..shared].iter().zip(plain[..shared].iter().map(|g| g / 4.0)).all(close));
        assert_eq!(scaled[shared..], plain[shared..]);
    }

    #[test]
    fn noise_comes_and_goes() {
        let options = QNetworkOptions { hidden: vec![5], ..QNetworkOptions::default() };
        let form = Form { noise: Some(0.5), ..Form::default() };
        let (mut network, params) = network_of(&[3], &options, form);
        assert_eq!(params.len(), 2 * ((3 + 1) * 5 + (5 + 1) * 2));
        let mut workspace = Workspace::default();
        let mut rng = Seeds::new(1).stream("noise");
        let mut values =
            |network: &QNetwork| network.infer(&params, &[0.3, -0.5, 1.0], &mut workspace).to_vec();
        let quiet = values(&network);
        network.draw_noise(&mut rng);
        let noisy = values(&network);
        assert_eq!(noisy, values(&network));
        network.draw_noise(&mut rng);
        assert!(noisy != quiet && noisy != values(&network));
        network.silence();
        assert_eq!(values(&network), quiet);
        let refused = QNetworkOptions { shared_bias: true, ..options };
        let space = Space::uniform(-2.0, 1.0, &[3]);
        let error = QNetwork::new(&mut Params::new(), &space, 2, &refused, form, &mut rng).unwrap_err();
        assert!(error.to_string().contains("`network.shared_bias`"), "{error}");
    }
}
