//! The program's commands other than `run`: each reads a config or a finished run and answers one question.

pub(crate) mod budget;
pub(crate) mod cluster;
pub(crate) mod compress;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod export_packed;
pub(crate) mod init;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod preview;
pub(crate) mod push;
pub(crate) mod round;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod targets;
pub(crate) mod targets_export;
