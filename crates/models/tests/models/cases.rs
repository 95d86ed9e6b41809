//! Small nets of every architecture, random inputs, a plain training step.

use candle_core::{DType, Device, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::{InputShape, Ngrams, Seed};
use stillhouse_models::{
    BertConfig, BertSize, BlockKind, ConvNetConfig, EncoderActivation, EncoderPooling, MlpConfig, Mode, Model,
    ModelConfig, ModelError, ModelInput, NgramBagConfig, Positions, PretrainedBlock, PretrainedResNetConfig,
    PretrainedResNetSize, ResNetConfig, TokenRows, TransformerConfig, VitConfig, VitSize,
};
use stillhouse_ops::loss::cross_entropy;
use stillhouse_ops::{DropoutKey, Gradients, record};

pub const IMAGE: InputShape = InputShape::Image { channels: 3, height: 9, width: 8 };
pub const FEATURES: InputShape = InputShape::Features { n_features: 12 };
pub const TEXT: InputShape = InputShape::Text {};
pub const N_OUTPUTS: usize = 5;

pub fn mlp(widths: &[usize]) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig { widths: widths.to_vec(), dropout: 0.0, input_dropout: 0.0, max_norm: None })
}

pub fn convnet(widths: &[usize], convs_per_stage: usize, hidden: Option<usize>) -> ModelConfig {
    ModelConfig::ConvNet(ConvNetConfig { widths: widths.to_vec(), convs_per_stage, hidden, dropout: 0.0 })
}

pub fn resnet(depth: usize, width: usize) -> ModelConfig {
    ModelConfig::ResNet(ResNetConfig::new(depth, width))
}

/// Buckets of n-grams and tokens of the vocabulary; the ids of [`batch`] are below it.
pub const N_IDS: usize = 30;
pub const TOKENS: InputShape = InputShape::Tokens { vocabulary_size: N_IDS };

pub fn bag(width: usize) -> NgramBagConfig {
    NgramBagConfig::new(N_IDS, width)
}

pub fn bert() -> BertConfig {
    let activation = EncoderActivation::Gelu;
    let (n_layers, n_heads, width, feed_forward_width) = (2, 2, 8, 16);
    let (vocabulary_size, n_positions, first_position, n_token_types, norm_eps) = (N_IDS, 6, 0, 2, 1e-12);
    BertConfig::new(BertSize {
        vocabulary_size,
        n_layers,
        n_heads,
        width,
        feed_forward_width,
        n_positions,
        first_position,
        n_token_types,
        activation,
        norm_eps,
    })
}

pub const SMALL_IMAGE: InputShape = InputShape::Image { channels: 3, height: 4, width: 6 };

pub fn vit() -> VitConfig {
    VitConfig::new(VitSize {
        image: [4, 6],
        channels: 3,
        patch: 2,
        n_layers: 2,
        n_heads: 2,
        width: 8,
        feed_forward_width: 16,
        activation: EncoderActivation::Gelu,
        norm_eps: 1e-12,
    })
}

pub fn pretrained_resnet(block: PretrainedBlock) -> PretrainedResNetSize {
    PretrainedResNetSize { channels: 3, stem_width: 4, widths: vec![4, 8], depths: vec![1, 2], block }
}

/// Every architecture with each of its options on.
pub fn every_case() -> Vec<(ModelConfig, InputShape)> {
    let dropped = MlpConfig { widths: vec![16, 16], dropout: 0.3, input_dropout: 0.2, max_norm: Some(1.0) };
    let stages =
        ResNetConfig { depth: 10, width: None, widths: Some(vec![6, 8]), stem_width: Some(4), block: BlockKind::Basic };
    let separable = ResNetConfig { block: BlockKind::Separable, ..stages.clone() };
    let hidden = ConvNetConfig { widths: vec![6, 8], convs_per_stage: 2, hidden: Some(12), dropout: 0.2 };
    let words = Ngrams { words: Some([1, 2]), ..Ngrams::default() };
    let bag = NgramBagConfig { hidden: vec![16], embedding_dropout: 0.1, dropout: 0.2, ngrams: words, ..bag(8) };
    let rotary = TransformerConfig {
        positions: Positions::Rotary,
        dropout: 0.1,
        feed_forward: 2,
        max_len: 5,
        ..TransformerConfig::new(1, 3, 12)
    };
    let size = BertSize { activation: EncoderActivation::GeluTanh, ..bert().size.unwrap() };
    let (pooling, size) = (EncoderPooling::Cls, Some(size));
    let cls = BertConfig { pooling, size, dropout: 0.0, learning_rate_decay: 0.9, ..bert() };
    let later = BertSize { first_position: 1, n_token_types: 0, ..bert().size.unwrap() };
    let later = BertConfig { max_len: 5, ..BertConfig::new(later) };
    let vit = VitConfig { dropout: 0.1, ..vit() };
    let bottlenecks = PretrainedResNetConfig::new(pretrained_resnet(PretrainedBlock::Bottleneck));
    vec![
        (ModelConfig::Bert(later), TOKENS),
        (ModelConfig::Vit(vit), SMALL_IMAGE),
        (ModelConfig::PretrainedResNet(PretrainedResNetConfig::new(pretrained_resnet(PretrainedBlock::Basic))), IMAGE),
        (ModelConfig::PretrainedResNet(bottlenecks), IMAGE),
        (mlp(&[]), FEATURES),
        (mlp(&[16]), IMAGE),
        (ModelConfig::Mlp(dropped), FEATURES),
        (convnet(&[6, 8, 8, 8, 8], 1, None), IMAGE),
        (ModelConfig::ConvNet(hidden), IMAGE),
        (resnet(8, 6), IMAGE),
        (ModelConfig::ResNet(stages), IMAGE),
        (ModelConfig::ResNet(separable), IMAGE),
        (ModelConfig::NgramBag(self::bag(8)), TEXT),
        (ModelConfig::NgramBag(bag), TEXT),
        (ModelConfig::Transformer(TransformerConfig::new(2, 2, 8)), TOKENS),
        (ModelConfig::Transformer(rotary), TOKENS),
        (ModelConfig::Bert(bert()), TOKENS),
        (ModelConfig::Bert(cls), TOKENS),
    ]
}

pub fn model(config: &ModelConfig, input: &InputShape, seed: u64) -> Model {
    Model::new(config, input, N_OUTPUTS, Seed(seed), &Device::Cpu).unwrap()
}

/// Numbers in `-1..1`, `[B, H, W, C]` or `[B, F]`; for texts rows of 0 to 4 ids.
pub fn batch(input: &InputShape, n_examples: usize, seed: u64) -> ModelInput {
    let mut rng = Seed(seed).rng();
    let n_values = n_examples * input.n_values();
    let values: Vec<f32> = (0..n_values).map(|_| rng.next_u32() as f32 / (1u32 << 31) as f32 - 1.0).collect();
    match *input {
        InputShape::Image { channels, height, width } => {
            Tensor::from_vec(values, (n_examples, height, width, channels), &Device::Cpu).unwrap().into()
        }
        InputShape::Features { n_features } => {
            Tensor::from_vec(values, (n_examples, n_features), &Device::Cpu).unwrap().into()
        }
        InputShape::Text {} => ModelInput::Bags(rows(&mut rng, n_examples)),
        InputShape::Tokens { .. } => ModelInput::Tokens(rows(&mut rng, n_examples)),
    }
}

/// Rows of 0 to 4 ids.
fn rows(rng: &mut ChaCha8Rng, n_rows: usize) -> TokenRows {
    let mut ids = |len: usize| -> Vec<u32> { (0..len).map(|_| rng.next_u32() % N_IDS as u32).collect() };
    TokenRows::of((0..n_rows).map(|index| ids(index % 5)).collect::<Vec<_>>()).unwrap()
}

/// One example of a batch, alone.
pub fn example(inputs: &ModelInput, index: usize) -> ModelInput {
    match inputs {
        ModelInput::Values(values) => values.narrow(0, index, 1).unwrap().into(),
        ModelInput::Bags(bags) => ModelInput::Bags(TokenRows::of([bags.row(index)]).unwrap()),
        ModelInput::Tokens(tokens) => ModelInput::Tokens(TokenRows::of([tokens.row(index)]).unwrap()),
    }
}

pub fn labels(n_examples: usize) -> Vec<u32> {
    (0..n_examples).map(|index| (index % N_OUTPUTS) as u32).collect()
}

pub fn train_mode(step: u64) -> Mode {
    Mode::Train { dropout: DropoutKey { seed: step } }
}

/// The loss of a batch, and its gradients by the recorded pass.
pub fn loss_and_gradients(model: &Model, inputs: &ModelInput, labels: &[u32], step: u64) -> (Tensor, Gradients) {
    let forward =
        || -> Result<Tensor, ModelError> { Ok(cross_entropy(&model.forward(inputs, train_mode(step))?, labels)?) };
    let (loss, tape) = record(forward).unwrap();
    let gradients = tape.backward(&loss).unwrap();
    (loss, gradients)
}

/// The loss of a batch before one step of plain SGD.
pub fn sgd_step(model: &Model, inputs: &ModelInput, labels: &[u32], learning_rate: f64, step: u64) -> f32 {
    let (loss, gradients) = loss_and_gradients(model, inputs, labels, step);
    for param in model.params() {
        let update = (gradients.get(&param.var).unwrap().to_dense().unwrap() * learning_rate).unwrap();
        param.var.set(&(param.var.as_detached_tensor() - update).unwrap()).unwrap();
    }
    model.apply_max_norm().unwrap();
    loss.to_scalar().unwrap()
}

pub fn logits(model: &Model, inputs: &ModelInput) -> Vec<Vec<f32>> {
    model.forward(inputs, Mode::Eval).unwrap().to_vec2().unwrap()
}

/// All numbers of a model, bit by bit.
pub fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let state = model.state_dict().unwrap();
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    state
        .iter()
        .map(|(name, tensor)| (name.clone(), flat(tensor).iter().map(|value| value.to_bits()).collect()))
        .collect()
}

/// A variable by name, among parameters and buffers.
pub fn variable(model: &Model, name: &str) -> Var {
    let params = model.params().iter().map(|param| (&param.name, &param.var));
    let buffers = model.buffers().iter().map(|buffer| (&buffer.name, &buffer.var));
    params.chain(buffers).find(|(key, _)| *key == name).map(|(_, var)| var.clone()).unwrap()
}

pub fn values(model: &Model, name: &str) -> Vec<f32> {
    variable(model, name).to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (index, (x, y)) in a.iter().zip(b).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{index}: {x} and {y}");
    }
}
