//! The program's commands beside `run`: each reads a config or a finished run and answers one question.

pub(crate) mod budget;
pub(crate) mod evaluate;
pub(crate) mod init;
mod init_compose;
mod init_features;
mod init_sizes;
mod init_texts;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod preview;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod targets;
