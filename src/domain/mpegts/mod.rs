//! MPEG transport streams (ISO/IEC 13818-1), as far as cutting one into segments needs them.
//!
//! It takes bytes as they come, aligned or not, and knows neither where they come from nor what is made of them.

pub mod facts;
