// Logging: the only way to spdlog. One line per event to stderr, `event key=value ...`; payloads never; warn means
// that someone should act. Example: LogInfo("model loaded", {{"model", "mnist"}, {"version", "3"}}).
//
// Thread-safe. A value with spaces, quotes or control characters is quoted and escaped, so that one event stays one
// line whatever came from outside.
#pragma once

#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace digit {

struct LogField {
  LogField(absl::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
  LogField(absl::string_view k, const absl::Status& v) : key(k), value(v.message()) {}
  absl::string_view key;
  std::string value;
};

using LogFields = std::initializer_list<LogField>;

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// "debug", "info", "warn", "error" or "off"; kOff for what is none of them: flags check before.
LogLevel LogLevelOf(absl::string_view name);

// Call once, in main(), before any thread. Until then kInfo holds.
void SetLogLevel(LogLevel level);

void LogDebug(absl::string_view event, LogFields fields = {});
void LogInfo(absl::string_view event, LogFields fields = {});
void LogWarn(absl::string_view event, LogFields fields = {});
void LogError(absl::string_view event, LogFields fields = {});

// The line without level and time; for tests and the access log.
std::string FormatLogLine(absl::string_view event, LogFields fields);

}  // namespace digit
