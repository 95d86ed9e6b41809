//! Model folders: written whole, read back exactly, refused clearly.

use crate::cases::{IMAGE, N_OUTPUTS, TOKENS, batch, bits, every_case, labels, logits, mlp, model, resnet, sgd_step};
use candle_core::Device;
use std::fs;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec, Temperature};
use stillhouse_models::{
    FolderError, HeadInit, Model, ModelCard, Rounder, Tokenizer, WeightBits, check_labels, load_model, save_model,
    save_rounded_model,
};
use tempfile::TempDir;

fn card(input: InputShape) -> ModelCard {
    let n_channels = input.n_channels();
    ModelCard {
        name: "student".into(),
        input: InputSpec::new(input, vec![0.25; n_channels], vec![0.1; n_channels]),
        labels: ["cat", "größer | gleich", "", " 漢字 ", "tab\tand \\n"].map(String::from).to_vec(),
        numbers: vec![("top-1 accuracy, test".into(), "71.3 %".into()), ("a | b".into(), "1".into())],
        hub: Default::default(),
    }
}

fn saved(directory: &Path, model: &Model) -> PathBuf {
    let folder = directory.join("student");
    save_model(&folder, model, &card(*model.input())).unwrap();
    folder
}

/// A model of tokens with words for all of its numbers, others as they are.
fn with_tokenizer(model: Model) -> Model {
    let InputShape::Tokens { vocabulary_size } = *model.input() else { return model };
    let words: Vec<String> = (0..vocabulary_size).map(|id| format!("\"w{id}\":{id}")).collect();
    let json = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
            "pre_tokenizer":{{"type":"Whitespace"}},"post_processor":null,"decoder":null,
            "model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"w0"}}}}"#,
        words.join(",")
    );
    model.with_tokenizer(&Tokenizer::from_json(json.as_bytes()).unwrap()).unwrap()
}

/// A valid folder of a small residual net, to be damaged.
fn example() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let folder = saved(directory.path(), &model(&resnet(8, 4), &IMAGE, 0));
    (directory, folder)
}

fn refusal(folder: &Path) -> String {
    load_model(folder, &Device::Cpu).err().unwrap().to_string()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_is_loaded_exactly() {
    for (config, input) in every_case() {
        let original = with_tokenizer(model(&config, &input, 0));
        sgd_step(&original, &batch(&input, 10, 1), &labels(10), 0.1, 0);
        let directory = TempDir::new().unwrap();
        let folder = saved(directory.path(), &original);
        let (loaded, loaded_card) = load_model(&folder, &Device::Cpu).unwrap();
        assert_eq!(bits(&loaded), bits(&original));
        assert_eq!((loaded.config(), loaded.input()), (original.config(), original.input()));
        assert_eq!(loaded_card, card(input));
        assert_eq!(logits(&loaded, &batch(&input, 3, 2)), logits(&original, &batch(&input, 3, 2)));
        assert_eq!(names(directory.path()), ["student"]);
        let mut files = vec!["README.md", "config.json", "labels.txt", "model.safetensors"];
        files.extend(matches!(input, InputShape::Tokens { .. }).then_some("tokenizer.json"));
        assert_eq!(names(&folder), files);
    }
}

#[test]
fn a_temperature_divides_the_logits_of_predictions_and_is_kept() {
    let temperature = Temperature::new(2.5).unwrap();
    let (images, trained) = (batch(&IMAGE, 3, 2), model(&resnet(8, 4), &IMAGE, 0));
    let as_trained = logits(&trained, &images);
    let calibrated = trained.with_temperature(temperature);
    let divided = logits(&calibrated, &images);
    for (divided, as_trained) in divided.concat().iter().zip(as_trained.concat()) {
        assert!((divided - as_trained / 2.5).abs() < 1e-6, "{divided} {as_trained}");
    }
    let directory = TempDir::new().unwrap();
    let folder = saved(directory.path(), &calibrated);
    let (loaded, _) = load_model(&folder, &Device::Cpu).unwrap();
    assert_eq!((loaded.temperature(), logits(&loaded, &images)), (temperature, divided.clone()));
    let copy = loaded.with_head(HeadInit::Same).unwrap();
    assert_eq!(logits(&copy, &images), divided);
    let config = fs::read_to_string(folder.join("config.json")).unwrap();
    assert!(config.contains("\"temperature\": 2.5"), "{config}");
    let bad = config.replace("\"temperature\": 2.5", "\"temperature\": 0.0");
    fs::write(folder.join("config.json"), bad).unwrap();
    assert!(refusal(&folder).contains("a temperature must be a finite number above 0, found 0"));
}

#[test]
fn a_model_of_tokens_is_not_saved_without_its_tokenizer() {
    let (config, input) = every_case().into_iter().find(|(_, input)| *input == TOKENS).unwrap();
    let directory = TempDir::new().unwrap();
    let error = save_model(&directory.path().join("student"), &model(&config, &input, 0), &card(input)).unwrap_err();
    assert!(error.to_string().contains("no tokenizer"), "{error}");
    assert!(names(directory.path()).is_empty());
}

/// A tensor of a folder's weights: its shape and its numbers.
fn stored(folder: &Path, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    (view.shape().to_vec(), values.collect())
}

#[test]
fn kernels_have_the_order_of_pytorch() {
    let (_directory, folder) = example();
    let original = model(&resnet(8, 4), &IMAGE, 0);
    let kernels = original.params().iter().filter(|param| param.var.dims().len() == 4);
    let mut n_kernels = 0;
    for param in kernels {
        let expected = param.var.as_detached_tensor().permute([3, 2, 0, 1]).unwrap();
        let (shape, values) = stored(&folder, &param.name);
        assert_eq!(shape, expected.dims(), "{}", param.name);
        assert_eq!(values, expected.flatten_all().unwrap().to_vec1::<f32>().unwrap(), "{}", param.name);
        n_kernels += 1;
    }
    assert!(n_kernels > 6, "{n_kernels}");
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let (_, head) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(head.metadata().as_ref().unwrap()["format"], "pt");
}

/// Rewrites a folder as version 1 had it: kernels as in memory, no metadata, no maps of labels.
fn as_version_1(folder: &Path, model: &Model) {
    let tensors = model.state_dict().unwrap().into_iter().collect();
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("config.json")).unwrap()).unwrap();
    config["format_version"] = 1.into();
    for key in ["id2label", "label2id"] {
        assert!(config.as_object_mut().unwrap().remove(key).is_some());
    }
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

#[test]
fn a_folder_of_version_1_is_the_same_model() {
    for (config, input) in every_case() {
        let original = with_tokenizer(model(&config, &input, 0));
        let directory = TempDir::new().unwrap();
        let folder = saved(directory.path(), &original);
        as_version_1(&folder, &original);
        let (loaded, loaded_card) = load_model(&folder, &Device::Cpu).unwrap();
        assert_eq!(bits(&loaded), bits(&original), "{config:?}");
        assert_eq!(loaded_card, card(input));
    }
}

#[test]
fn codes_of_two_bits_are_those_of_the_version() {
    let original = model(&mlp(&[24]), &IMAGE, 0);
    for bits_of_weight in [2, 4] {
        let rounded = WeightBits::uniform(&original, bits_of_weight);
        let directory = TempDir::new().unwrap();
        let folder = directory.path().join("student");
        save_rounded_model(&folder, &original, &card(IMAGE), &rounded).unwrap();
        let config = fs::read_to_string(folder.join("config.json")).unwrap();
        fs::write(folder.join("config.json"), config.replace("\"format_version\": 3", "\"format_version\": 2"))
            .unwrap();
        if bits_of_weight == 2 {
            // version 2 had three codes, and here are four
            assert!(refusal(&folder).contains("a code beyond its bits"), "{}", refusal(&folder));
        } else {
            let (loaded, _) = load_model(&folder, &Device::Cpu).unwrap();
            assert_eq!(bits(&loaded), bits(&rounded.rounded(&original).unwrap()));
        }
    }
}

#[test]
fn kernels_of_another_version_do_not_fit() {
    let (_directory, folder) = example();
    let config = fs::read_to_string(folder.join("config.json")).unwrap();
    fs::write(folder.join("config.json"), config.replace("\"format_version\": 3", "\"format_version\": 1")).unwrap();
    let text = refusal(&folder);
    assert!(text.contains("conv.weight") && text.contains("[3, 3, "), "{text}");
}

#[test]
fn equal_models_give_equal_bytes() {
    let ((_a, first), (_b, second)) = (example(), example());
    for file in names(&first) {
        assert_eq!(fs::read(first.join(&file)).unwrap(), fs::read(second.join(&file)).unwrap(), "{file}");
    }
}

#[test]
fn the_card_is_a_table_of_the_numbers() {
    let (_directory, folder) = example();
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(text.starts_with("---\nlibrary_name: stillhouse\n") && text.contains("---\n\n# student\n"), "{text}");
    assert!(text.contains("| top-1 accuracy, test | 71.3 % |\n| a \\| b | 1 |\n"), "{text}");
}

#[test]
fn labels_stand_where_other_programs_look_for_them() {
    let (_directory, folder) = example();
    let path = folder.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let labels: Vec<String> =
        fs::read_to_string(folder.join("labels.txt")).unwrap().lines().map(str::to_owned).collect();
    for (number, label) in labels.iter().enumerate() {
        assert_eq!(config["id2label"][number.to_string()], label.as_str());
        assert_eq!(config["label2id"][label], number);
    }
    // folders that were written before do not have them
    let keys = config.as_object_mut().unwrap();
    assert!(keys.remove("id2label").is_some() && keys.remove("label2id").is_some());
    fs::write(&path, config.to_string()).unwrap();
    assert_eq!(load_model(&folder, &Device::Cpu).unwrap().1.labels, labels);
    let head = fs::read(folder.join("model.safetensors")).unwrap();
    assert!(String::from_utf8_lossy(&head[8..60]).contains(r#""__metadata__":{"format":"pt"}"#));
}

#[test]
fn an_older_folder_is_replaced_and_a_stranger_is_not() {
    let (directory, folder) = example();
    save_model(&folder, &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE)).unwrap();
    assert_eq!(load_model(&folder, &Device::Cpu).unwrap().0.config(), &mlp(&[4]));
    assert_eq!(names(directory.path()), ["student"]);

    let home = directory.path().join("home");
    fs::create_dir(&home).unwrap();
    let empty = save_model(&home, &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE));
    assert!(empty.is_ok(), "an empty folder is free");
    fs::remove_file(home.join("config.json")).unwrap();
    let error = save_model(&home, &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE)).unwrap_err();
    assert!(matches!(error, FolderError::Occupied(_)), "{error}");
    assert_eq!(names(directory.path()), ["home", "student"]);
}

#[test]
fn a_replacement_killed_between_its_two_renames_loses_nothing() {
    let (directory, folder) = example();
    let aside = directory.path().join(".student.replaced");
    fs::rename(&folder, &aside).unwrap();
    assert_eq!(load_model(&folder, &Device::Cpu).unwrap().0.config(), &resnet(8, 4));
    save_model(&folder, &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE)).unwrap();
    assert_eq!(load_model(&folder, &Device::Cpu).unwrap().0.config(), &mlp(&[4]));
    assert_eq!(names(directory.path()), ["student"]);
}

#[test]
fn a_save_that_fails_leaves_the_place_as_it_was() {
    let (directory, folder) = example();
    let before = fs::read(folder.join("model.safetensors")).unwrap();
    let mut bad = card(IMAGE);
    bad.labels.pop();
    let error = save_model(&folder, &model(&mlp(&[4]), &IMAGE, 0), &bad).unwrap_err().to_string();
    assert!(error.contains("4 labels for 5 outputs"), "{error}");
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), before);
    assert_eq!(names(directory.path()), ["student"]);

    let inside_a_file = folder.join("README.md").join("model");
    assert!(matches!(
        save_model(&inside_a_file, &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE)),
        Err(FolderError::Io { .. })
    ));
    assert!(matches!(
        save_model(Path::new("/"), &model(&mlp(&[4]), &IMAGE, 0), &card(IMAGE)),
        Err(FolderError::Unnamed(_))
    ));
}

#[test]
fn labels_with_line_breaks_are_refused_before_anything_is_written() {
    let directory = TempDir::new().unwrap();
    for label in ["two\nlines", "carriage\r"] {
        let mut bad = card(IMAGE);
        bad.labels[3] = label.into();
        let folder = directory.path().join("student");
        let error = save_model(&folder, &model(&mlp(&[4]), &IMAGE, 0), &bad).unwrap_err().to_string();
        assert!(error.starts_with("label 3, ") && error.contains("hint: "), "{error}");
    }
    assert!(names(directory.path()).is_empty());
    assert!(check_labels(&card(IMAGE).labels).is_ok());
}

#[test]
fn a_card_of_another_input_is_refused() {
    let directory = TempDir::new().unwrap();
    let model = model(&mlp(&[4]), &IMAGE, 0);
    let mut bad = card(IMAGE);
    bad.input.std[1] = 0.0;
    bad.input.mean.pop();
    let error = save_model(&directory.path().join("m"), &model, &bad).unwrap_err().to_string();
    assert!(error.contains("2 means, expected 3 finite numbers") && error.contains("not above 0"), "{error}");
    let other = card(InputShape::Features { n_features: 2 });
    let error = save_model(&directory.path().join("m"), &model, &other).unwrap_err().to_string();
    assert!(error.contains("an input of Features { n_features: 2 } for a model of Image"), "{error}");
}

#[test]
fn missing_files_are_named() {
    for file in ["config.json", "labels.txt", "model.safetensors"] {
        let (_directory, folder) = example();
        fs::remove_file(folder.join(file)).unwrap();
        assert!(refusal(&folder).ends_with(&format!("is not a model folder: it has no {file}")));
    }
    let (directory, _folder) = example();
    assert!(refusal(&directory.path().join("nowhere")).contains("it has no config.json"));
}

#[test]
fn truncated_weights_are_damaged_at_every_length() {
    let (_directory, folder) = example();
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = refusal(&folder);
        assert!(error.contains("model.safetensors is damaged: "), "{length}: {error}");
    }
    let mut not_numbers = bytes.clone();
    let end = bytes.len();
    not_numbers[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, not_numbers).unwrap();
    assert!(refusal(&folder).contains("holds NaN"));
}

#[test]
fn configs_of_other_versions_and_other_nets_are_refused() {
    let cases = [
        ("\"format_version\": 3", "\"format_version\": 4", "has format version 4, this program reads versions 1 to 3"),
        ("\"format_version\"", "\"version\"", "has format version none"),
        ("\"depth\"", "\"dept\"", "is not a model's config: unknown field `dept`"),
        ("\"depth\": 8", "\"depth\": 9", "depth: must be 6n + 2"),
        ("\"depth\": 8", "\"depth\": 14", "missing stages.0.blocks.1.conv1.conv.weight"),
        ("\"width\": 4", "\"width\": 5", "misshapen stem.conv.weight (f32 [4, 3, 3, 3], expected f32 [5, 3, 3, 3])"),
        ("\"n_outputs\": 5", "\"n_outputs\": 500000000000", "labels.txt holds 5 labels, config.json says n_outputs"),
        ("{", "", "is not a model's config"),
    ];
    for (from, to, expected) in cases {
        let (_directory, folder) = example();
        let path = folder.join("config.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = refusal(&folder);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn labels_that_are_not_text_or_too_few_are_refused() {
    let (_directory, folder) = example();
    fs::write(folder.join("labels.txt"), b"a\nb\n\xff\n").unwrap();
    assert!(refusal(&folder).contains("labels.txt is not UTF-8 after byte 4"));
    fs::write(folder.join("labels.txt"), "a\n".repeat(N_OUTPUTS - 1)).unwrap();
    assert!(refusal(&folder).contains("labels.txt holds 4 labels"));
}

#[test]
fn rounded_weights_are_read_back_as_they_were_rounded() {
    for (config, input) in every_case() {
        let model = with_tokenizer(model(&config, &input, 3));
        for n_bits in [8, 4, 3] {
            let directory = TempDir::new().unwrap();
            let folder = directory.path().join("small");
            let rounding = WeightBits::uniform(&model, n_bits);
            save_rounded_model(&folder, &model, &card(*model.input()), &rounding).unwrap();
            let (loaded, _) = load_model(&folder, &Device::Cpu).unwrap();
            let exact = Rounder::new(&rounding, &model).unwrap().round(&model, None).unwrap();
            assert!(loaded.is_same(&model).unwrap(), "{config:?}, {n_bits} bits");
            exact.restore(&model).unwrap();
            // what was read back is written as the same bytes
            let again = directory.path().join("again");
            save_rounded_model(&again, &loaded, &card(*model.input()), &rounding).unwrap();
            let weights = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
            assert!(weights(&folder) == weights(&again), "{config:?}, {n_bits} bits");
        }
    }
}

#[test]
fn bits_that_do_not_fit_the_weights_are_refused() {
    let directory = TempDir::new().unwrap();
    let net = model(&resnet(8, 4), &IMAGE, 0);
    let folder = directory.path().join("small");
    save_rounded_model(&folder, &net, &card(IMAGE), &WeightBits::uniform(&net, 4)).unwrap();
    let config = fs::read_to_string(folder.join("config.json")).unwrap();
    for (change, problem) in [
        (("\"stem.conv.weight\": 4", "\"stem.conv.weight\": 9"), "9 bits of stem.conv.weight, expected 2 to 8"),
        (("\"stem.conv.weight\": 4", "\"stem.conv.weight\": 0"), "0 bits of stem.conv.weight"),
        (
            ("\"stem.conv.weight\": 4", "\"stem.conv.weight\": 5"),
            "stem.conv.weight: found u8 [56], expected u8 [68] of",
        ),
        (("\"head.weight\": 8,", ""), "misshapen head.weight (u8"),
        (("\"stem.conv.weight\"", "\"stem.norm.scale\""), "bits of stem.norm.scale, which is no weight"),
    ] {
        assert!(config.contains(change.0), "{config}");
        fs::write(folder.join("config.json"), config.replacen(change.0, change.1, 1)).unwrap();
        assert!(refusal(&folder).contains(problem), "{problem}: {}", refusal(&folder));
    }
    fs::write(folder.join("config.json"), &config).unwrap();
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors();
    let without = all.into_iter().filter(|(name, _)| name != "head.weight.scales");
    fs::write(folder.join("model.safetensors"), safetensors::serialize(without, None).unwrap()).unwrap();
    let text = refusal(&folder);
    assert!(text.contains("head.weight.scales: found none, expected f16 [5] of a weight in 8 bits"), "{text}");
    assert!(fs::read_to_string(folder.join("README.md")).unwrap().contains("Codes of `b` bits are"));
}
