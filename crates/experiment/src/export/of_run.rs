//! The exports that a run ends with: `[export]`.

use super::calibration::{calibration_examples, needs_ranges};
use super::examples::examples_of_inputs;
use super::{export_error, most_bits, table_bits};
use crate::config::{ALL_BITS, DEFAULT_BITS, ExportConfig, ExportForm};
use crate::error::{Result, system_error};
use crate::report::ExportReport;
use crate::session::Session;
use std::path::Path;
use stillhouse_export::{OnnxOptions, PageOptions, write_c_folder, write_onnx_folder, write_page_folder};
use stillhouse_models::{Model, ModelCard};

/// The folder of exports in a run's folder.
const EXPORT: &str = "export";

/// Files that were written, and why others were not.
#[derive(Default)]
pub(crate) struct Exports {
    pub written: Vec<ExportReport>,
    pub warnings: Vec<String>,
}

/// Writes what `[export]` asks for; nothing without it. What cannot be written is a warning: everything else of the run is
/// finished by then, and `stillhouse export` can write it later.
pub(crate) fn write_exports(session: &Session<'_>, run_dir: &Path, model: &Model, card: &ModelCard) -> Exports {
    let mut exports = Exports::default();
    let Some(config) = &session.config.export else { return exports };
    for form in &config.to {
        match write(session, config, *form, run_dir, (model, card)) {
            Ok(report) => exports.written.push(report),
            Err(error) => {
                let text = format!("export.to: \"{}\" was not written: {error}", form.name());
                session.context.warn(EXPORT, text.clone());
                exports.warnings.push(text);
            }
        }
    }
    exports
}

fn write(
    session: &Session<'_>,
    config: &ExportConfig,
    form: ExportForm,
    run_dir: &Path,
    (model, card): (&Model, &ModelCard),
) -> Result<ExportReport> {
    let parent = run_dir.join(EXPORT);
    std::fs::create_dir_all(&parent).map_err(|error| system_error(&parent, "cannot be created", &error))?;
    let (out, bits) = (parent.join(form.name()), most_bits(config.bits));
    let (files, entry) = match form {
        ExportForm::Html => {
            let examples = examples_of_inputs(&config.examples, model)?;
            (
                write_page_folder(&out, model, card, &PageOptions { bits, title: config.title.clone(), examples }),
                "index.html",
            )
        }
        ExportForm::C => (write_c_folder(&out, model, card, bits), "README.md"),
        ExportForm::Onnx => {
            let quantised = table_bits(config.bits);
            let calibration = match quantised.is_some() && needs_ranges(model, &out)? {
                true => calibration_examples(model, &card.input, &session.data.train)?,
                false => Vec::new(),
            };
            let summary = write_onnx_folder(&out, model, card, &OnnxOptions { quantised, calibration });
            (summary.map(|summary| summary.files), "README.md")
        }
    };
    let files = files.map_err(|error| export_error(&out, error))?;
    Ok(ExportReport {
        form: form.name().to_owned(),
        path: format!("{EXPORT}/{}/{entry}", form.name()),
        bits: config.bits.unwrap_or(if form == ExportForm::Onnx { ALL_BITS } else { DEFAULT_BITS }),
        bytes: files.iter().map(|(_, n_bytes)| n_bytes).sum(),
    })
}
