//! Tensor operations with backward, optimizer steps, seeded initialisation and dropout
