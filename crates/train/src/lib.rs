//! The training loop, objectives, schedules, metrics and checkpoints
