//! Whole models, built message by message.
