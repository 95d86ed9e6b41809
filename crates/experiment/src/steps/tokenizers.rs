//! The tokenizers of networks of tokens, made before any training needs one.

use crate::error::Result;
use crate::networks::tokenizer::{tokenizer, tokenizer_stage};
use crate::planning::Work;
use crate::session::Session;

/// Makes every tokenizer that the config asks for, so that no training has to wait for one.
pub(crate) fn make_tokenizers(session: &Session<'_>) -> Result<()> {
    let config = session.config;
    let of_generalist = config.generalist.as_ref().and_then(|generalist| generalist.tokenizer.as_ref());
    let wanted = [of_generalist, config.specialist_tokenizer(), config.student.tokenizer.as_ref()];
    for config in wanted.into_iter().flatten() {
        match session.context.plan() {
            Some(recorder) => {
                let stage = tokenizer_stage(session, config);
                recorder.step(&stage, !session.context.is_to_do(&stage), Work::Other);
            }
            None => drop(tokenizer(session, config)?),
        }
    }
    Ok(())
}
