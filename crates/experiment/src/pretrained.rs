//! Encoders and tokenizers of hub repositories: fetched before anything is trained, pinned to a commit, and from then on
//! folders and files like any other.

use crate::config::{Experiment, ExperimentConfig};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::load_progress::LoadProgress;
use std::path::PathBuf;
use stillhouse_data::DataError;
use stillhouse_data::hub::{Hub, HubError, RepoKind, Snapshot};
use stillhouse_models::{ModelConfig, TokenizerConfig, published_files};

/// The experiment with folders in place of repositories, and where these stood: pairs of repository and commit.
///
/// # Errors
/// A hub that does not deliver, a repository without weights in safetensors, or an interruption.
pub(crate) fn fetch_pretrained(
    experiment: &Experiment,
    context: &RunContext<'_>,
) -> Result<(Experiment, Vec<(String, String)>)> {
    let mut fetching = Fetching { hub: Hub::from_env(), progress: LoadProgress::new(context), commits: Vec::new() };
    let mut config = experiment.config().clone();
    let ExperimentConfig { generalist, specialists, student, .. } = &mut config;
    if let Some(generalist) = generalist {
        fetching.model(&mut generalist.model)?;
        fetching.tokenizer(generalist.tokenizer.as_mut())?;
    }
    if let Some(specialists) = specialists {
        specialists.model.as_mut().map_or(Ok(()), |model| fetching.model(model))?;
        fetching.tokenizer(specialists.tokenizer.as_mut())?;
    }
    fetching.model(&mut student.model)?;
    fetching.tokenizer(student.tokenizer.as_mut())?;
    Ok((experiment.with_config(config), fetching.commits))
}

struct Fetching<'a> {
    hub: Hub,
    progress: LoadProgress<'a>,
    commits: Vec<(String, String)>,
}

impl Fetching<'_> {
    /// Puts the local folder in place of a model's repository, if it names one.
    fn model(&mut self, model: &mut ModelConfig) -> Result<()> {
        let Some((repo, revision)) = model.repository() else { return Ok(()) };
        let snapshot = self.hub.snapshot(RepoKind::Model, repo, revision, &self.progress).map_err(hub_error)?;
        let files = published_files(repo, snapshot.files()).map_err(|problem| {
            let commit = snapshot.commit();
            ExperimentError::BadData(anyhow::anyhow!("{repo} at {commit}: {problem}"))
        })?;
        let mut folder = PathBuf::new();
        for file in files {
            folder = download(&snapshot, &file, &self.progress)?;
            folder.pop();
        }
        self.commits.push((format!("encoder {repo}"), snapshot.commit().to_owned()));
        *model = model.in_folder(&folder);
        Ok(())
    }

    /// The same for a tokenizer.
    fn tokenizer(&mut self, tokenizer: Option<&mut TokenizerConfig>) -> Result<()> {
        let Some(tokenizer) = tokenizer else { return Ok(()) };
        let TokenizerConfig::Hub(place) = &*tokenizer else { return Ok(()) };
        let revision = place.revision.as_deref();
        let snapshot = self.hub.snapshot(RepoKind::Model, &place.repo, revision, &self.progress).map_err(hub_error)?;
        let path = download(&snapshot, &place.file, &self.progress)?;
        self.commits.push((format!("tokenizer {}", place.repo), snapshot.commit().to_owned()));
        *tokenizer = TokenizerConfig::File { path };
        Ok(())
    }
}

fn download(snapshot: &Snapshot<'_>, file: &str, progress: &LoadProgress<'_>) -> Result<PathBuf> {
    snapshot.download(file, progress).map_err(hub_error)
}

fn hub_error(error: HubError) -> ExperimentError {
    DataError::from(error).into()
}
