//! The page of every architecture holds everything that it needs, and loads nothing.

mod support;

use stillhouse_export::packed::PackedGraph;
use stillhouse_export::{ExportError, PageExample, PageOptions, page, write_page_folder};
use stillhouse_models::{Model, Tokenizer, WeightBits};

fn models() -> Vec<(&'static str, Model)> {
    use support::{models_of_large_images, models_of_ngrams, models_of_values, models_with_tokenizers};
    [models_of_values(), models_of_large_images(), models_of_ngrams(), models_with_tokenizers()]
        .into_iter()
        .flatten()
        .collect()
}

/// The content of the script with this id.
fn script<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{id}\">")).unwrap();
    rest.split_once("</script>").unwrap().0
}

#[test]
fn pages_hold_weights_nodes_and_labels() {
    for (name, model) in models() {
        let card = support::card(&model);
        let four = page(&model, &card, &PageOptions { bits: Some(4), ..PageOptions::default() }).unwrap();
        let n_bytes = PackedGraph::of(&model, Some(4)).unwrap().n_bytes();
        assert_eq!(script(&four, "weights").len(), n_bytes.div_ceil(3) * 4, "{name}: base64 of four bits");
        for bits in [Some(2), Some(3), Some(4), Some(8), None] {
            let rounded = bits.map(|bits| WeightBits::uniform(&model, bits).rounded(&model).unwrap());
            let model = rounded.as_ref().unwrap_or(&model);
            let page = page(model, &card, &PageOptions::default()).unwrap();
            let packed = PackedGraph::of(model, None).unwrap();
            assert_eq!(script(&page, "weights").len(), packed.n_bytes().div_ceil(3) * 4, "{name}: base64");
            let manifest: serde_json::Value = serde_json::from_str(script(&page, "model")).unwrap();
            assert_eq!(manifest["labels"], serde_json::json!(card.labels), "{name}");
            assert_eq!(manifest["nodes"].as_array().unwrap().len(), packed.graph().nodes().len(), "{name}");
            assert!(!manifest["check"].as_array().unwrap().is_empty(), "{name}");
            // every operator has its function in the page's scripts
            let program = script(&page, "program");
            for node in packed.graph().nodes() {
                let operator = node.operator.name();
                assert!(
                    [format!("  {operator}("), format!("  {operator}: ")].iter().any(|text| program.contains(text)),
                    "{name}: {operator}"
                );
            }
        }
    }
}

#[test]
fn pages_load_nothing_and_show_labels_as_text() {
    for (name, model) in models() {
        let page = page(&model, &support::card(&model), &PageOptions::default()).unwrap();
        let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
        for link in ["http:", "https:", "src=\"", "@import", "url(", "import(", "fetch("] {
            assert!(!without_namespace.contains(link), "{name}: {link}");
        }
        assert_eq!(page.matches("href=").count(), 1, "{name}: the empty icon alone");
        assert!(page.contains("<title>a &lt;student&gt; /* of */ tests · stillhouse</title>"), "{name}");
        let titled = PageOptions { title: Some("Which & where?".into()), ..PageOptions::default() };
        let titled = stillhouse_export::page(&model, &support::card(&model), &titled).unwrap();
        assert!(titled.contains("<h1><bdi>Which &amp; where?</bdi></h1>"), "{name}");
        assert_eq!(page.matches("</script>").count(), 3, "{name}");
        assert!(!page.contains("<!--"), "{name}");
    }
}

#[test]
fn examples_are_of_the_inputs_kind() {
    let (_, texts) = support::models_of_ngrams().remove(0);
    let picture = PageExample::Picture { name: "a.png".into(), media_type: "image/png".into(), bytes: vec![1, 2, 3] };
    let options = |example: PageExample| PageOptions { examples: vec![example], ..PageOptions::default() };
    let made = page(&texts, &support::card(&texts), &options(PageExample::Text("where?".into()))).unwrap();
    assert!(made.contains("\"examples\":[\"where?\"]"));
    let refused = page(&texts, &support::card(&texts), &options(picture.clone())).unwrap_err();
    assert_eq!(refused.to_string(), "the examples are image files, expected lines of text, which the model takes");
    let (_, images) = support::models_of_large_images().remove(0);
    let made = page(&images, &support::card(&images), &options(picture)).unwrap();
    assert!(made.contains("data:image/png;base64,AQID"));
}

#[test]
fn other_tokenizers_are_refused_with_a_hint() {
    let (_, model) = support::models_with_tokenizers().remove(0);
    let mut file: serde_json::Value = serde_json::from_str(&model.tokenizer().unwrap().to_json().unwrap()).unwrap();
    file["pre_tokenizer"] = serde_json::json!({ "type": "Whitespace" });
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    let model = support::models_with_tokenizers().remove(0).1.with_tokenizer(&tokenizer).unwrap();
    let error = page(&model, &support::card(&model), &PageOptions::default()).unwrap_err().to_string();
    assert!(error.contains("pre_tokenizer: Whitespace") && error.contains("--to onnx"), "{error}");
}

#[test]
fn a_page_replaces_an_export_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model) = support::models_of_ngrams().remove(0);
    let (card, place) = (support::card(&model), folder.path().join("page"));
    let write = |place: &std::path::Path| write_page_folder(place, &model, &card, &PageOptions::default());
    let files = write(&place).unwrap();
    assert_eq!(files, [("index.html".to_owned(), std::fs::metadata(place.join("index.html")).unwrap().len())]);
    write(&place).unwrap();
    std::fs::write(place.join("index.html"), "<!doctype html><title>mine</title>").unwrap();
    assert!(matches!(write(&place), Err(ExportError::Occupied { .. })));
    assert_eq!(std::fs::read_to_string(place.join("index.html")).unwrap(), "<!doctype html><title>mine</title>");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}
