use super::*;
use stillhouse_core::{TablePlace, synonyms};

/// Every key of every table, each once.
fn all_keys() -> Vec<KeyReference> {
    let schema = schema();
    let reader = Reader { schema };
    let mut keys = Vec::new();
    schema.visit_tables(&mut |&TablePlace { path, node, .. }| {
        keys.extend(reader.key(path, node, false).forms.into_iter().flat_map(|form| form.keys));
    });
    keys
}

#[test]
fn every_key_and_every_value_is_described() {
    let mut missing: Vec<String> = Vec::new();
    for key in all_keys() {
        // one word says nothing that the key's name does not say
        let is_described = |text: &str| text.split_whitespace().count() >= 2;
        if !is_described(&key.description) {
            missing.push(key.key.clone());
        }
        let of_choices = key.choices.iter().filter(|choice| !is_described(&choice.description));
        missing.extend(of_choices.map(|choice| format!("{} = \"{}\"", key.key, choice.value)));
    }
    let schema = schema();
    schema.visit_tables(&mut |&TablePlace { path, forms, .. }| {
        let of_kinds = forms.iter().filter(|form| form.node.description().is_none());
        missing.extend(of_kinds.map(|form| format!("{path}: kind {:?}", form.kind)));
    });
    assert!(missing.is_empty(), "write a doc comment in the type of the config for {missing:#?}");
}

#[test]
fn a_key_that_may_be_left_out_has_a_default_or_may_be_nothing() {
    let schema = schema();
    let mut silent = Vec::new();
    schema.visit_tables(&mut |&TablePlace { path, forms, .. }| {
        for form in forms {
            for key in form.node.properties().keys().filter(|key| *key != "kind" && *key != "sweep") {
                let node = schema.property(form, key).unwrap();
                let variants = schema.variants(&node).unwrap_or_default();
                let may_be_nothing = node.allows_type("null")
                    || node.allows_type("array")
                    || variants.iter().any(|variant| variant.allows_type("null"));
                let is_required = form.node.required().any(|required| required == key);
                if !is_required && !may_be_nothing && node.default_value().is_none() {
                    silent.push(join(path, key));
                }
            }
        }
    });
    let remedy = "`skip_serializing_if` hides the default from the schema: write it as #[schemars(extend(\"default\" = ...))] for";
    assert!(silent.is_empty(), "{remedy} {silent:#?}");
}

#[test]
fn examples_are_toml_that_the_schema_allows() {
    let schema = schema();
    let mut n_examples = 0;
    for key in all_keys() {
        for answer in describe_key(Some(&key.key)).unwrap() {
            let Some(example) = &answer.example else {
                // their keys are those of the config
                assert!(["sweep", "sweep.zip", "sweep.when"].contains(&key.key.as_str()), "{}", key.key);
                continue;
            };
            let table: toml::Table = example.parse().unwrap_or_else(|error| panic!("{}: {error}\n{example}", key.key));
            let problems = schema.check(&toml::Value::Table(table));
            let wrong: Vec<_> = problems.iter().filter(|problem| !problem.message.starts_with("missing")).collect();
            let is_missing = problems.iter().any(|problem| problem.key == key.key);
            assert!(wrong.is_empty() && !is_missing, "{}: {wrong:?}\n{example}", key.key);
            n_examples += 1;
        }
    }
    assert!(n_examples > 300, "{n_examples}");
}

#[test]
fn answers_fit_the_terminal() {
    for key in all_keys() {
        for answer in describe_key(Some(&key.key)).unwrap() {
            let text = answer.to_string();
            let prose = text.split("  example").next().unwrap();
            for line in prose.lines().filter(|line| line.chars().count() > 80) {
                // a default is one word with its brackets
                assert!(!line.trim_start().contains(' ') || line.contains(['[', '{', '"']), "{}: {line}", key.key);
            }
        }
    }
}

#[test]
fn a_key_is_described_by_its_path() {
    let one = |path: &str| {
        let mut answers = describe_key(Some(path)).unwrap();
        assert_eq!(answers.len(), 1, "{path}");
        answers.remove(0)
    };
    let epochs = one("student.training.n_epochs");
    assert_eq!((epochs.value.as_str(), epochs.is_required), ("a whole number", true));
    assert_eq!(epochs.range.as_deref(), Some("between 1 and 1000000"));
    assert_eq!(one("student.training.batch_size").default.as_deref(), Some("128"));
    let temperatures = describe_key(Some("student.distillation.loss.temperature")).unwrap();
    let kinds: Vec<Vec<String>> = temperatures.into_iter().map(|answer| answer.kinds).collect();
    assert_eq!(kinds, [vec!["soft_cross_entropy", "decoupled"], vec!["standardised_soft_cross_entropy"]]);
    let keep: Vec<String> = one("student.training.keep").choices.into_iter().map(|choice| choice.value).collect();
    assert_eq!(keep, ["last", "best"]);
    assert_eq!(one("student.training.optimizer").forms.len(), 2);
    assert_eq!(one("student.model.resnet").forms[0].kind.as_deref(), Some("resnet"));
    assert_eq!(describe_key(Some("data.channels")).unwrap()[0].range.as_deref(), Some("1, 3"));
    // three kinds of networks have sizes of their own
    let patch = one("student.model.size.patch");
    assert_eq!((patch.value.as_str(), patch.is_required), ("a whole number", true));
    assert_eq!(one("external_teacher").value, "a list of tables");
    assert_eq!(describe_key(Some("student.training.schedule.learning_rate")).unwrap().len(), 2);
    let whole = &describe_key(None).unwrap()[0];
    assert!(whole.forms[0].keys.iter().any(|key| key.key == "student" && key.is_required));
}

#[test]
fn a_wrong_key_is_told_the_nearest() {
    let hints = [
        ("student.training.n_epoch", "did you mean `n_epochs`?"),
        ("studnet", "did you mean `student`?"),
        ("temperature", "`temperature` stands in `student.distillation.loss`"),
        ("student.lr", "`lr` is called `peak_learning_rate`, which stands in `student.training.schedule`"),
        ("student.model.resnt", "has no key or kind `resnt`"),
        ("seed.x", "`seed` is no table"),
    ];
    for (path, expected) in hints {
        let text = describe_key(Some(path)).unwrap_err();
        assert!(text.contains(expected), "{path}: {text}");
    }
}

#[test]
fn our_names_of_other_programs_settings_are_keys() {
    let known: std::collections::BTreeSet<String> =
        all_keys().iter().map(|key| key.key.rsplit('.').next().unwrap().to_owned()).collect();
    for (theirs, ours) in synonyms() {
        for name in *ours {
            assert!(known.contains(*name), "{theirs}: `{name}` is no key");
            assert_ne!(theirs, name);
        }
    }
    assert!(synonyms().is_sorted(), "in the order of the alphabet");
}
