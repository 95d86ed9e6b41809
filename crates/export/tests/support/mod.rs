//! Small models of every architecture with weights that leave nothing at its initial value, and inputs for them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use candle_core::{Device, Tensor};
use stillhouse_core::{InputShape, InputSpec, Ngrams, Seed, Temperature};
use stillhouse_export::graph::Example;
use stillhouse_models::{
    BertConfig, BertSize, BlockKind, ConvNetConfig, EncoderActivation, EncoderPooling, MlpConfig, Mode, Model,
    ModelCard, ModelConfig, ModelInput, NgramBagConfig, Positions, PretrainedBlock, PretrainedResNetConfig,
    PretrainedResNetSize, Reductions, ResNetConfig, TokenRows, Tokenizer, TokenizerConfig, TokenizerTraining,
    TransformerConfig, VitConfig, VitSize,
};

pub const N_CLASSES: usize = 7;
pub const N_EXAMPLES: usize = 6;

pub const GREY: InputShape = InputShape::Image { channels: 1, height: 13, width: 10 };
pub const RGB: InputShape = InputShape::Image { channels: 3, height: 12, width: 9 };
pub const FEATURES: InputShape = InputShape::Features { n_features: 11 };

/// Numbers between -1 and 1 that only depend on `seed`.
pub fn noise(seed: u64, n_values: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..n_values).map(|_| next()).collect()
}

/// A model whose norms have random statistics, scales and shifts.
pub fn model(config: &ModelConfig, input: &InputShape) -> Model {
    reduced(config, input, &Reductions::default())
}

/// The same with linear layers of these ranks.
pub fn model_of_ranks(config: &ModelConfig, input: &InputShape, ranks: &[(&str, usize)]) -> Model {
    let ranks = ranks.iter().map(|(layer, rank)| ((*layer).to_owned(), *rank)).collect();
    reduced(config, input, &Reductions::of_ranks(ranks))
}

fn reduced(config: &ModelConfig, input: &InputShape, reductions: &Reductions) -> Model {
    let model = Model::reduced(config, input, N_CLASSES, (reductions, Some(Seed(3))), &Device::Cpu).unwrap();
    let vars = model.params().iter().map(|param| (&param.name, &param.var));
    let vars = vars.chain(model.buffers().iter().map(|buffer| (&buffer.name, &buffer.var)));
    for (index, (name, var)) in vars.enumerate() {
        let old: Vec<f32> = var.as_detached_tensor().flatten_all().unwrap().to_vec1().unwrap();
        let noise = noise(index as u64, old.len());
        let values: Vec<f32> = old
            .iter()
            .zip(noise)
            .map(|(old, noise)| if name.ends_with("running_var") { 1.0 + 0.7 * noise } else { old + 0.3 * noise })
            .collect();
        var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
    // every export has to divide the logits
    model.with_temperature(Temperature::new(1.7).unwrap())
}

/// The same model with about half of the units, channels and heads.
pub fn with_fewer_units(model: &Model) -> Model {
    let kept = model.inner_widths().map(|width| (width.name.clone(), (0..width.n_units).step_by(2).collect()));
    model.with_units(&kept.collect()).unwrap()
}

/// The same model without the last of the blocks that can be left out.
pub fn with_fewer_blocks(model: &Model) -> Model {
    model.without_blocks(&model.removable_blocks().last().into_iter().cloned().collect()).unwrap()
}

/// A grey, a colour and a feature model of each architecture that takes them.
pub fn models_of_values() -> Vec<(&'static str, Model)> {
    let mlp = |widths: &[usize]| {
        ModelConfig::Mlp(MlpConfig { widths: widths.to_vec(), dropout: 0.1, input_dropout: 0.1, max_norm: None })
    };
    let convnet = |convs_per_stage, hidden| {
        ModelConfig::ConvNet(ConvNetConfig { widths: vec![5, 6, 4, 3, 2], convs_per_stage, hidden, dropout: 0.2 })
    };
    let resnet = |block| ModelConfig::ResNet(ResNetConfig { block, ..ResNetConfig::new(14, 4) });
    let mut models = vec![("linear on features", model(&mlp(&[]), &FEATURES))];
    models.push(("mlp on features", model(&mlp(&[8, 5]), &FEATURES)));
    for (colour, input) in [("grey", GREY), ("rgb", RGB)] {
        let name = |kind: &str| -> &'static str { format!("{colour} {kind}").leak() };
        models.push((name("linear"), model(&mlp(&[]), &input)));
        models.push((name("mlp"), model(&mlp(&[9, 6]), &input)));
        let ranks = [("layers.0", 4), ("layers.1", 2)];
        models.push((name("mlp of low rank"), model_of_ranks(&mlp(&[9, 6]), &input, &ranks)));
        models.push((name("convnet"), model(&convnet(1, None), &input)));
        models.push((name("convnet with a hidden layer"), model(&convnet(2, Some(8)), &input)));
        models.push((name("resnet"), model(&resnet(BlockKind::Basic), &input)));
        models.push((name("separable resnet"), model(&resnet(BlockKind::Separable), &input)));
        let pruned = ["convnet with a hidden layer", "resnet", "separable resnet"].map(name);
        let pruned = models.iter().filter(|(name, _)| pruned.contains(name));
        let pruned: Vec<(&'static str, Model)> =
            pruned.map(|(name, model)| (&*format!("pruned {name}").leak(), with_fewer_units(model))).collect();
        models.extend(pruned);
        let resnets = models.iter().filter(|(of, _)| [name("resnet"), name("separable resnet")].contains(of));
        let shorter: Vec<(&'static str, Model)> =
            resnets.map(|(name, model)| (&*format!("shorter {name}").leak(), with_fewer_blocks(model))).collect();
        models.extend(shorter);
    }
    models
}

/// N-gram bags with and without a hidden layer.
pub fn models_of_ngrams() -> Vec<(&'static str, Model)> {
    let bag = |hidden: &[usize]| {
        let ngrams = Ngrams::default();
        ModelConfig::NgramBag(NgramBagConfig { hidden: hidden.to_vec(), ngrams, ..NgramBagConfig::new(50, 6) })
    };
    vec![
        ("n-gram bag", model(&bag(&[]), &InputShape::Text {})),
        ("n-gram bag with a hidden layer", model(&bag(&[8]), &InputShape::Text {})),
    ]
}

/// Vision transformers and residual networks of published shapes, small.
pub fn models_of_large_images() -> Vec<(&'static str, Model)> {
    let resnet = |channels, block| {
        let size = PretrainedResNetSize { channels, stem_width: 4, widths: vec![8, 12], depths: vec![2, 1], block };
        ModelConfig::PretrainedResNet(PretrainedResNetConfig::new(size))
    };
    let vit = |channels, image, pooling, activation| {
        let (n_layers, n_heads, width, feed_forward_width, norm_eps) = (2, 2, 8, 12, 1e-6);
        let patch = 3;
        let size =
            VitSize { image, channels, patch, n_layers, n_heads, width, feed_forward_width, activation, norm_eps };
        ModelConfig::Vit(VitConfig { pooling, ..VitConfig::new(size) })
    };
    let grey = InputShape::Image { channels: 1, height: 12, width: 9 };
    vec![
        ("grey basic", model(&resnet(1, PretrainedBlock::Basic), &GREY)),
        ("rgb bottleneck", model(&resnet(3, PretrainedBlock::Bottleneck), &RGB)),
        ("shorter grey basic", with_fewer_blocks(&model(&resnet(1, PretrainedBlock::Basic), &GREY))),
        ("grey vit", model(&vit(1, [12, 9], EncoderPooling::Cls, EncoderActivation::Gelu), &grey)),
        ("rgb vit", model(&vit(3, [12, 9], EncoderPooling::Mean, EncoderActivation::GeluTanh), &RGB)),
    ]
}

/// Encoders of tokens.
pub fn models_of_tokens() -> Vec<(&'static str, Model)> {
    let transformer = |positions| {
        let config = TransformerConfig::new(2, 2, 8);
        ModelConfig::Transformer(TransformerConfig { positions, max_len: 12, feed_forward: 2, ..config })
    };
    let bert = |pooling, first_position, n_token_types, activation| {
        let size = BertSize {
            vocabulary_size: 33,
            n_layers: 2,
            n_heads: 2,
            width: 8,
            feed_forward_width: 12,
            n_positions: 20,
            first_position,
            n_token_types,
            activation,
            norm_eps: 1e-12,
        };
        ModelConfig::Bert(BertConfig { pooling, max_len: 12, ..BertConfig::new(size) })
    };
    let input = InputShape::Tokens { vocabulary_size: 30 };
    vec![
        ("transformer", model(&transformer(Positions::Learned), &input)),
        (
            "transformer of low rank",
            model_of_ranks(
                &transformer(Positions::Learned),
                &input,
                &[("layers.0.attention.projections", 3), ("layers.1.feed_forward.down", 2)],
            ),
        ),
        ("rotary transformer", model(&transformer(Positions::Rotary), &input)),
        ("pruned rotary transformer", with_fewer_units(&model(&transformer(Positions::Rotary), &input))),
        ("pruned bert", with_fewer_units(&model(&bert(EncoderPooling::Mean, 0, 2, EncoderActivation::Gelu), &input))),
        ("shorter rotary transformer", with_fewer_blocks(&model(&transformer(Positions::Rotary), &input))),
        ("shorter bert", with_fewer_blocks(&model(&bert(EncoderPooling::Mean, 0, 2, EncoderActivation::Gelu), &input))),
        ("bert", model(&bert(EncoderPooling::Mean, 0, 2, EncoderActivation::Gelu), &input)),
        ("roberta", model(&bert(EncoderPooling::Cls, 2, 1, EncoderActivation::GeluTanh), &input)),
        ("distilbert", model(&bert(EncoderPooling::Cls, 0, 0, EncoderActivation::Relu), &input)),
    ]
}

/// Encoders of tokens with a tokenizer that was trained on some texts.
pub fn models_with_tokenizers() -> Vec<(&'static str, Model)> {
    let training = TokenizerTraining { vocabulary_size: 300, lowercase: true, min_frequency: 2 };
    let texts = ["where is my card, where is my money", "is my card there? it is not there", "wo ist meine Karte"];
    let tokenizer = Tokenizer::make(&TokenizerConfig::Bpe(training), texts.into_iter()).unwrap();
    let vocabulary_size = tokenizer.vocabulary_size();
    let with_tokenizer = |(name, old): (&'static str, Model)| {
        let mut config = old.config().clone();
        if let ModelConfig::Bert(BertConfig { size: Some(size), .. }) = &mut config {
            size.vocabulary_size = vocabulary_size;
        }
        let model = reduced(&config, &InputShape::Tokens { vocabulary_size }, old.reductions());
        (name, model.with_tokenizer(&tokenizer).unwrap())
    };
    models_of_tokens().into_iter().map(with_tokenizer).collect()
}

/// A card whose texts have everything that a format may stumble over.
pub fn card(model: &Model) -> ModelCard {
    let n = model.input().n_channels();
    let labels = [
        "plain",
        "with \"quotes\" \\",
        "</script><!-- */",
        "what??=",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}1",
        "",
        "{{title}}",
    ];
    let (mean, std) = ((0..n).map(|index| 0.3 + 0.1 * index as f32), (0..n).map(|index| 0.2 + 0.05 * index as f32));
    ModelCard {
        name: "a <student> /* of */ tests".into(),
        input: InputSpec::new(*model.input(), mean.collect(), std.collect()),
        labels: labels.map(str::to_owned).to_vec(),
        numbers: vec![("top-1 accuracy, test".into(), "71.3 %".into()), ("a | b".into(), "<b>".into())],
        hub: Default::default(),
    }
}

/// All of them.
pub fn models() -> Vec<(&'static str, Model)> {
    [models_of_values(), models_of_large_images(), models_of_ngrams(), models_of_tokens()]
        .into_iter()
        .flatten()
        .collect()
}

/// Ids of texts of different lengths, the first of them empty if `with_empty`.
pub fn texts(n_ids: usize, max_len: usize, with_empty: bool) -> Vec<Vec<u32>> {
    let lengths = (0..N_EXAMPLES).map(|index| if index == 0 && with_empty { 0 } else { 1 + index * 5 % max_len });
    let id = |noise: f32| ((noise + 1.0) / 2.0 * n_ids as f32) as u32 % n_ids as u32;
    lengths.enumerate().map(|(seed, length)| noise(seed as u64, length).into_iter().map(id).collect()).collect()
}

/// Inputs of a model as the graph takes them, and the model's own logits.
pub fn examples(model: &Model) -> (Vec<Example>, Vec<Vec<f32>>) {
    let logits = |input: &ModelInput| model.forward(input, Mode::Eval).unwrap().to_vec2::<f32>().unwrap();
    match *model.input() {
        InputShape::Image { channels, height, width } => {
            let images: Vec<Vec<f32>> =
                (0..N_EXAMPLES).map(|seed| noise(100 + seed as u64, channels * height * width)).collect();
            let chw = Tensor::from_vec(images.concat(), (N_EXAMPLES, channels, height, width), &Device::Cpu).unwrap();
            let hwc = chw.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
            (images.into_iter().map(Example::Values).collect(), logits(&hwc.into()))
        }
        InputShape::Features { n_features } => {
            let rows: Vec<Vec<f32>> = (0..N_EXAMPLES).map(|seed| noise(100 + seed as u64, n_features)).collect();
            let tensor = Tensor::from_vec(rows.concat(), (N_EXAMPLES, n_features), &Device::Cpu).unwrap();
            (rows.into_iter().map(Example::Values).collect(), logits(&tensor.into()))
        }
        InputShape::Text {} => {
            let ids = texts(50, 20, true);
            let logits = logits(&ModelInput::Bags(TokenRows::of(&ids).unwrap()));
            (ids.into_iter().map(Example::Ids).collect(), logits)
        }
        InputShape::Tokens { vocabulary_size } => {
            let ids = texts(vocabulary_size, 12, false);
            let logits = logits(&ModelInput::Tokens(TokenRows::of(&ids).unwrap()));
            (ids.into_iter().map(Example::Ids).collect(), logits)
        }
    }
}

/// The largest distance between two lists of logits.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
