//! What a client may write into its log.

/// Why a level is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CONCLAVE_LOG is '{0}', which is no level. Write off, error, warn, info, debug or trace.")]
pub struct LogLevelError(String);

/// The filter of the log for a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), `error`
/// without one. Only our own code speaks, at every level: libraries have the habit of naming
/// addresses, paths and keys.
///
/// # Errors
/// [`LogLevelError`] for any other word.
pub fn log_filter(level: Option<&str>) -> Result<String, LogLevelError> {
    let level = level.unwrap_or("error").to_ascii_lowercase();
    match level.as_str() {
        "off" | "error" | "warn" | "info" | "debug" | "trace" => {
            Ok(format!("off,conclave={level}"))
        }
        _ => Err(LogLevelError(level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_code_speaks_at_any_level() {
        assert_eq!(log_filter(None).unwrap(), "off,conclave=error");
        assert_eq!(log_filter(Some("TRACE")).unwrap(), "off,conclave=trace");
        let refused = log_filter(Some("moq=trace")).unwrap_err().to_string();
        assert!(refused.contains("moq=trace"), "{refused}");
    }
}
