//! Causal transformers, of GPT-2's kind and of Llama's and Qwen's: for training, and for generating with kept keys and
//! values.

use quire_core::{Error, Result, Rng};
use serde::{Deserialize, Serialize};

use super::{Embedding, LayerNorm, Linear, NormKind};
use crate::ops::CachedLayer;
use crate::{Activation, Attention, DropoutKey, Float, Graph, Index, Init, Params, Rotary, Tensor, View};

/// How a transformer knows positions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Positions {
    /// A learned vector for every position, added to the input.
    Learned,
    /// Queries and keys are rotated; see [`Graph::rotary`].
    Rotary {
        /// Wavelength base: 10,000 in Llama, 1,000,000 in Qwen2.
        base: f64,
    },
}

/// What a causal transformer looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Number of symbols; 0 for a transformer over vectors, without embedding and head.
    pub vocabulary: usize,
    /// Longest sequence.
    pub context: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_width: usize,
    /// Width of the feed-forward layer.
    pub hidden: usize,
    /// Activation of the feed-forward layer.
    pub activation: Activation,
    /// The activation gates a second product (SwiGLU with silu; Shazeer 2020).
    pub gated: bool,
    /// The kind of normalization.
    pub norm: NormKind,
    /// What the normalization adds to the variance.
    pub norm_epsilon: f64,
    /// How positions are known.
    pub positions: Positions,
    /// Biases in the output of attention and in the feed-forward layer.
    pub bias: bool,
    /// Biases in queries, keys and values.
    pub qkv_bias: bool,
    /// A normalization of every head's queries and keys (Qwen3).
    pub qk_norm: bool,
    /// The head's weight is the embedding's.
    pub tied: bool,
    /// Rate of a dropout on the embedding and on what every block adds; it acts when a key is given.
    pub dropout: f64,
}

impl TransformerConfig {
    /// GPT-2's kind (Radford et al. 2019): layer normalization, learned positions, gelu, biases, a tied head.
    pub fn gpt2(vocabulary: usize, context: usize, width: usize, layers: usize, heads: usize) -> Self {
        TransformerConfig {
            vocabulary,
            context,
            width,
            layers,
            heads,
            kv_heads: heads,
            head_width: width / heads.max(1),
            hidden: 4 * width,
            activation: Activation::GeluTanh,
            gated: false,
            norm: NormKind::LayerNorm,
            norm_epsilon: 1e-5,
            positions: Positions::Learned,
            bias: true,
            qkv_bias: true,
            qk_norm: false,
            tied: true,
            dropout: 0.0,
        }
    }

    /// Llama's kind (Touvron et al. 2023): root-mean-square normalization, rotary positions, SwiGLU, no biases, a
    /// head of its own. Qwen2 is this with `qkv_bias`, Qwen3 with `qk_norm`.
    pub fn llama(vocabulary: usize, context: usize, width: usize, layers: usize, heads: usize) -> Self {
        TransformerConfig {
            hidden: (8 * width / 3).next_multiple_of(16),
            activation: Activation::Silu,
            gated: true,
            norm: NormKind::RmsNorm,
            norm_epsilon: 1e-6,
            positions: Positions::Rotary { base: 10_000.0 },
            bias: false,
            qkv_bias: false,
            tied: false,
            ..Self::gpt2(vocabulary, context, width, layers, heads)
        }
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// Names the field that does not fit.
    pub fn validate(&self) -> Result<()> {
        let positive = [
            ("context", self.context),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_width", self.head_width),
            ("hidden", self.hidden),
        ];
        for (name, size) in positive {
            if size == 0 {
                return Err(Error::option(name, "0, must be at least 1"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let problem = format!("{}, must divide the {} heads", self.kv_heads, self.heads);
            return Err(Error::option("kv_heads", problem));
        }
        if matches!(self.positions, Positions::Rotary { .. }) && !self.head_width.is_multiple_of(2) {
            return Err(Error::option("head_width", "odd, but rotary positions turn pairs"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::option(
                "dropout",
                format!("{}, must be at least 0 and below 1", self.dropout),
            ));
        }
        Ok(())
    }
}

/// One block: attention and a feed-forward layer, each behind a normalization and beside a shortcut.
#[derive(Debug, Clone, Copy)]
struct Block {
    attention_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: Option<LayerNorm>,
    key_norm: Option<LayerNorm>,
    output: Linear,
    feed_norm: LayerNorm,
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

/// A causal transformer.
#[derive(Debug, Clone)]
pub struct CausalTransformer {
    config: TransformerConfig,
    embedding: Option<Embedding>,
    positions: Option<View>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Option<Linear>,
}

impl CausalTransformer {
    /// Registers the parameters, started as GPT-2's: weights normal with deviation 0.02, those that end a block
    /// divided by `sqrt(2 layers)`, biases 0.
    ///
    /// Names: `{name}.embedding.weight`, `{name}.positions`, `{name}.blocks.0.attention_norm.weight`,
    /// `{name}.blocks.0.query.weight` (`key`, `value`, `query_norm`, `key_norm`, `output`, `feed_norm`, `gate`, `up`,
    /// `down`), `{name}.norm.weight`, `{name}.head.weight`.
    ///
    /// # Errors
    /// If the configuration does not fit together.
    pub fn new<F: Float>(
        params: &mut Params<F>,
        name: &str,
        config: &TransformerConfig,
        rng: &mut Rng,
    ) -> Result<Self> {
        config.validate()?;
        let c = config;
        let normal = Init::Normal { std: 0.02 };
        let last = Init::Normal { std: 0.02 / (2.0 * c.layers as f64).sqrt() };
        let embedding = (c.vocabulary > 0).then(|| {
            Embedding::new(params, &format!("{name}.embedding"), c.vocabulary, c.width, normal, rng)
        });
        let positions = (c.positions == Positions::Learned)
            .then(|| params.add(format!("{name}.positions"), &[c.context, c.width], normal, rng));
        let (query, keys) = (c.heads * c.head_width, c.kv_heads * c.head_width);
        let blocks = (0..c.layers)
            .map(|i| {
                let at = |part: &str| format!("{name}.blocks.{i}.{part}");
                let bias = |yes: bool| yes.then_some(Init::Zeros);
                let norm = |params: &mut Params<F>, part: &str, width: usize, rng: &mut Rng| {
                    LayerNorm::new(params, &at(part), c.norm, [1, width], c.norm_epsilon, rng)
                };
                let attention_norm = norm(params, "attention_norm", c.width, rng);
                let head_norm = |params: &mut Params<F>, part: &str, rng: &mut Rng| {
                    let kind = NormKind::RmsNorm;
                    c.qk_norm.then(|| {
                        LayerNorm::new(params, &at(part), kind, [1, c.head_width], c.norm_epsilon, rng)
                    })
                };
                let linear =
                    |params: &mut Params<F>, part: &str, [i, o]: [usize; 2], init, yes, rng: &mut Rng| {
                        Linear::with(params, &at(part), [1, i, o], init, bias(yes), rng)
                    };
                Block {
                    attention_norm,
                    query: linear(params, "query", [c.width, query], normal, c.qkv_bias, rng),
                    key: linear(params, "key", [c.width, keys], normal, c.qkv_bias, rng),
                    value: linear(params, "value", [c.width, keys], normal, c.qkv_bias, rng),
                    query_norm: head_norm(params, "query_norm", rng),
                    key_norm: head_norm(params, "key_norm", rng),
                    output: linear(params, "output", [query, c.width], last, c.bias, rng),
                    feed_norm: norm(params, "feed_norm", c.width, rng),
                    gate: c.gated.then(|| {
                        linear(params, "gate", [c.width, c.hidden], normal, c.bias, rng)
                            .activated(c.activation)
                    }),
                    up: {
                        let up = linear(params, "up", [c.width, c.hidden], normal, c.bias, rng);
                        if c.gated { up } else { up.activated(c.activation) }
                    },
                    down: linear(params, "down", [c.hidden, c.width], last, c.bias, rng),
                }
            })
            .collect();
        let norm = LayerNorm::new(params, &format!("{name}.norm"), c.norm, [1, c.width], c.norm_epsilon, rng);
        let head = (c.vocabulary > 0 && !c.tied).then(|| {
            Linear::with(params, &format!("{name}.head"), [1, c.width, c.vocabulary], normal, None, rng)
        });
        Ok(CausalTransformer { config: config.clone(), embedding, positions, blocks, norm, head })
    }

    /// The configuration.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// Logits of the next symbol after every position: symbols `[B, T]` (row-major, padded behind to equal lengths)
    /// `-> [B, T, vocabulary]`.
    ///
    /// # Panics
    /// If the symbols are not whole rows, or the transformer has no vocabulary.
    pub fn forward<'g, F: Float, I: Index>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        symbols: &[I],
        batch: usize,
        lengths: Option<&[usize]>,
        dropout: Option<DropoutKey>,
    ) -> Tensor<'g, F> {
        let x = self.embed(graph, params, symbols, batch);
        let hidden = self.forward_vectors(graph, params, x, lengths, dropout);
        self.logits(graph, params, hidden)
    }

    /// The vectors of symbols: `[B, T] -> [B, T, width]`, before positions.
    ///
    /// # Panics
    /// As [`CausalTransformer::forward`].
    pub fn embed<'g, F: Float, I: Index>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        symbols: &[I],
        batch: usize,
    ) -> Tensor<'g, F> {
        let embedding = self.embedding.expect("a transformer over vectors has no symbols");
        assert!(
            batch > 0 && symbols.len().is_multiple_of(batch),
            "transformer: {} symbols in {batch} rows",
            symbols.len()
        );
        let time = symbols.len() / batch;
        embedding.forward(graph, params, symbols).reshape(&[batch, time, self.config.width])
    }

    /// The residual stream after the last normalization: `[B, T, width] -> [B, T, width]`.
    ///
    /// # Panics
    /// If the shape does not fit or `T` exceeds the context.
    pub fn forward_vectors<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        lengths: Option<&[usize]>,
        dropout: Option<DropoutKey>,
    ) -> Tensor<'g, F> {
        self.run(graph, params, x, dropout, |_, [q, k, v]| {
            let how =
                Attention { heads: self.config.heads, kv_heads: self.config.kv_heads, causal: true, lengths };
            q.attention(k, v, how)
        })
    }

    fn run<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        dropout: Option<DropoutKey>,
        mut attend: impl FnMut(usize, [Tensor<'g, F>; 3]) -> Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        let c = &self.config;
        let time = match *x.shape() {
            [_, time, width] if width == c.width && time <= c.context => time,
            _ => panic!("transformer: vectors {:?}, not [B, T <= {}, {}]", x.shape(), c.context, c.width),
        };
        let positions = graph.indices(time, |t| t);
        let x = match self.positions {
            Some(table) => x + graph.param(params, table).slice(0, 0..time),
            None => x,
        };
        let rotary = self.rotary(graph, positions);
        self.blocks(graph, params, x, rotary, dropout, &mut attend)
    }

    fn rotary<'g, F: Float>(&self, graph: Graph<'g, F>, positions: &[usize]) -> Option<Rotary<'g, F>> {
        match self.config.positions {
            Positions::Learned => None,
            Positions::Rotary { base } => Some(graph.rotary(positions, self.config.head_width, base)),
        }
    }

    /// All blocks and the last normalization, over `[..., width]`.
    fn blocks<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        x: Tensor<'g, F>,
        rotary: Option<Rotary<'g, F>>,
        dropout: Option<DropoutKey>,
        attend: &mut impl FnMut(usize, [Tensor<'g, F>; 3]) -> Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        let c = &self.config;
        let drop = |x: Tensor<'g, F>, place: usize| match dropout {
            Some(key) => x.dropout(c.dropout, key.layer(place)),
            None => x,
        };
        let head_norm = |x: Tensor<'g, F>, norm: Option<LayerNorm>| match norm {
            None => x,
            Some(norm) => {
                let heads = x.reshape(&[x.len() / c.head_width, c.head_width]);
                norm.forward(graph, params, heads, Activation::None).reshape(x.shape())
            }
        };
        let turn = |x: Tensor<'g, F>| rotary.map_or(x, |rotary| x.rotate(rotary));
        let mut x = drop(x, 0);
        for (i, block) in self.blocks.iter().enumerate() {
            let h = block.attention_norm.forward(graph, params, x, Activation::None);
            let q = turn(head_norm(block.query.forward(graph, params, h), block.query_norm));
            let k = turn(head_norm(block.key.forward(graph, params, h), block.key_norm));
            let v = block.value.forward(graph, params, h);
            let a = block.output.forward(graph, params, attend(i, [q, k, v]));
            x = x + drop(a, 2 * i + 1);
            let h = block.feed_norm.forward(graph, params, x, Activation::None);
            let up = block.up.forward(graph, params, h);
            let up = match block.gate {
                Some(gate) => gate.forward(graph, params, h) * up,
                None => up,
            };
            x = x + drop(block.down.forward(graph, params, up), 2 * i + 2);
        }
        self.norm.forward(graph, params, x, Activation::None)
    }

    /// Logits from the residual stream: `[..., width] -> [..., vocabulary]`.
    ///
    /// # Panics
    /// If the transformer has no vocabulary.
    pub fn logits<'g, F: Float>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        hidden: Tensor<'g, F>,
    ) -> Tensor<'g, F> {
        let embedding = self.embedding.expect("a transformer over vectors has no head");
        match self.head {
            Some(head) => head.forward(graph, params, hidden),
            None => {
                let rows = hidden.len() / self.config.width;
                let flat = hidden.reshape(&[rows, self.config.width]);
                let logits = flat.matmul_with(graph.param(params, embedding.weight), false, true);
                let mut shape = crate::Shape::new(hidden.shape());
                *shape.last_mut().expect("hidden states have an axis") = self.config.vocabulary;
                logits.reshape(&shape)
            }
        }
    }

    /// An empty cache for generating in this many rows, each up to `capacity` positions long.
    pub fn cache<F: Float>(&self, batch: usize, capacity: usize) -> KvCache<F> {
        let c = &self.config;
        let layers = (0..c.layers).map(|_| CachedLayer::new(batch, c.kv_heads, c.head_width, capacity));
        KvCache { layers: layers.collect(), lengths: vec![0; batch] }
    }

    /// Reads prompts `[B, T]` (padded behind) into an empty cache, and returns the logits after the last symbol of
    /// every row, `[B, vocabulary]`. Nothing is recorded.
    ///
    /// # Panics
    /// If the prompts do not fit the cache, or a length is 0.
    pub fn prefill<'g, F: Float, I: Index>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        symbols: &[I],
        lengths: &[usize],
        cache: &mut KvCache<F>,
    ) -> Tensor<'g, F> {
        let batch = cache.lengths.len();
        assert_eq!(lengths.len(), batch, "prefill: one length (left) for every row of the cache (right)");
        graph.no_grad(|| {
            let x = self.embed(graph, params, symbols, batch);
            let time = x.shape()[1];
            assert!(
                lengths.iter().all(|&l| l >= 1 && l <= time),
                "prefill: the lengths {lengths:?} of prompts of {time} symbols"
            );
            let how = Attention {
                heads: self.config.heads,
                kv_heads: self.config.kv_heads,
                causal: true,
                lengths: Some(lengths),
            };
            let hidden = self.run(graph, params, x, None, |layer, [q, k, v]| {
                let width = k.shape()[2];
                for (b, &length) in lengths.iter().enumerate() {
                    for t in 0..length {
                        let range = (b * time + t) * width..(b * time + t + 1) * width;
                        cache.layers[layer].put(b, t, &k.data()[range.clone()], &v.data()[range]);
                    }
                }
                q.attention(k, v, how)
            });
            cache.lengths.copy_from_slice(lengths);
            let flat = hidden.reshape(&[batch * time, self.config.width]);
            let last = graph.indices(batch, |b| b * time + lengths[b] - 1);
            self.logits(graph, params, flat.index_select(0, last))
        })
    }

    /// Appends one symbol to every row and returns the logits after it, `[B, vocabulary]`. Nothing is recorded.
    ///
    /// # Panics
    /// If the cache is full or the context exceeded, or there is not one symbol for every row.
    pub fn step<'g, F: Float, I: Index>(
        &self,
        graph: Graph<'g, F>,
        params: &'g Params<F>,
        symbols: &[I],
        cache: &mut KvCache<F>,
    ) -> Tensor<'g, F> {
        let batch = cache.lengths.len();
        assert_eq!(symbols.len(), batch, "step: one symbol (left) for every row of the cache (right)");
        graph.no_grad(|| {
            let at = graph.indices(batch, |b| cache.lengths[b]);
            let longest = at.iter().max().copied().unwrap_or(0);
            assert!(
                longest < self.config.context,
                "step: position {longest} of a context of {}",
                self.config.context
            );
            let embedding = self.embedding.expect("a transformer over vectors has no symbols");
            let x = embedding.forward(graph, params, symbols);
            let x = match self.positions {
                Some(table) => x + graph.param(params, table).index_select(0, at),
                None => x,
            };
            let rotary = self.rotary(graph, at);
            cache.lengths.iter_mut().for_each(|length| *length += 1);
            let KvCache { layers, lengths } = cache;
            let hidden = self.blocks(graph, params, x, rotary, None, &mut |layer, [q, k, v]| {
                q.attend_next([k, v], &mut layers[layer], lengths)
            });
            self.logits(graph, params, hidden)
        })
    }
}

/// The keys and values of everything generated so far.
#[derive(Debug, Clone)]
pub struct KvCache<F> {
    layers: Vec<CachedLayer<F>>,
    lengths: Vec<usize>,
}

impl<F: Float> KvCache<F> {
    /// The number of positions in every row.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.lengths.fill(0);
    }

    /// Keeps these rows only, in this order; a row may be kept more than once. For rows that are finished, and for
    /// several continuations of one prompt.
    ///
    /// # Panics
    /// If a row does not exist.
    pub fn select(&mut self, rows: &[usize]) {
        self.layers.iter_mut().for_each(|layer| layer.select(rows));
        self.lengths = rows.iter().map(|&b| self.lengths[b]).collect();
    }
}
